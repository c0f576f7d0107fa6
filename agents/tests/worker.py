"""Working as the agents' worker does: in a database role that may read, and propose."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections

from agents import checkpoints
from core.db.row_security import AGENTS_ROLE


@contextmanager
def worker_of_the_agents() -> Iterator[None]:
    """Let every new connection take the role that the agents' worker has."""
    options = connections["default"].settings_dict["OPTIONS"]
    before = options["options"]
    connection.close()
    checkpoints.close()
    options["options"] = f"-c role={AGENTS_ROLE}"
    try:
        yield
    finally:
        connection.close()
        checkpoints.close()
        options["options"] = before
