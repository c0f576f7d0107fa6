"""
How the tests are shared out between two processes, each with a PostgreSQL and a Redis of its own.

A file's tests stay together, since they share what is slow to make. Tests that start processes of
their own all stay in one of the two: side by side they would take the processor from each other,
and each of them says within which time something has to be seen.
"""

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

_WITH_PROCESSES: Final = tuple(
    f"tests/{folder}/" for folder in ("chaos", "clients", "closure", "e2e", "live", "privacy")
)


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out file by file, and everything with processes of its own as if it were one file."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, _ = nodeid.partition("::")
        return "with processes" if path.startswith(_WITH_PROCESSES) else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    """Take the place of xdist's own ways of sharing out."""
    return Lanes(config, log)
