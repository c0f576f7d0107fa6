"""One time for us, our database and the sandbox, which a test moves."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.backends.signals import connection_created

_SET = "SELECT set_config('clera.clock_offset', %s, false)"


class SimulatedTime:
    """
    Time that passes for everybody at once.

    Our database keeps its offset per connection, and a connection is given back before each call
    to a vendor: every new one is told anew.
    """

    def __init__(self, sandbox):
        self._sandbox = sandbox
        self._passed = 0.0

    @property
    def now(self):
        return datetime.now(UTC) + timedelta(seconds=self._passed)

    def advance(self, seconds):
        self._passed += seconds
        self._sandbox.advance(seconds)
        self._tell(connection)

    def _tell(self, connection, **_):
        with connection.cursor() as cursor:
            cursor.execute(_SET, [f"{self._passed} seconds" if self._passed else ""])

    @contextmanager
    def kept(self):
        connection_created.connect(self._tell)
        try:
            yield self
        finally:
            connection_created.disconnect(self._tell)
            self._passed = 0.0
            self._tell(connection)
