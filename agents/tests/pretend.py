"""The pretend model: what it is told to say, and how much of that it has said."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.tests import sandboxes
from core.tests.sandboxes import Sandbox


@dataclass(frozen=True)
class Pretend:
    """A running sandbox whose model can be scripted."""

    sandbox: Sandbox

    def point(self, settings: Any) -> None:
        """Send the clients of this test here."""
        self.sandbox.point(settings)
        settings.GROQ_URL = f"{self.sandbox.url}/groq"
        settings.VENDOR_TOTAL_SECONDS = 5

    def script(self, turns: Sequence[dict[str, Any]]) -> None:
        """Have the model play these turns, one for each request."""
        self._queue(turns)

    def turns_left(self) -> int:
        """Count the turns not played yet."""
        return self._queue(())

    def effects(self) -> list[dict[str, Any]]:
        """List everything that vendors were really made to do."""
        found: list[dict[str, Any]] = self.sandbox.control("GET", "/effects")["effects"]
        return found

    def _queue(self, turns: Sequence[dict[str, Any]]) -> int:
        body = {"name": "groq", "turns": list(turns)}
        queued: int = self.sandbox.control("POST", "/model-scripts", body)["queued"]
        return queued


@contextmanager
def running() -> Iterator[Pretend]:
    """Serve the sandbox on a free port until the block ends."""
    with sandboxes.running() as sandbox:
        yield Pretend(sandbox)
