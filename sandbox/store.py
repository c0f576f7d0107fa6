"""What the sandbox remembers between two runs: small JSON documents in one SQLite file."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

Dump = Callable[[], str]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
)
"""


class Store:
    """
    Keeps documents by kind and key; without a folder it forgets everything at exit.

    A changed document is only marked. It is written out at the next `flush`, so a burst of
    changes to one order costs one write.
    """

    def __init__(self, folder: Path | None) -> None:
        self._connection: sqlite3.Connection | None = None
        self._marked: dict[tuple[str, str], Dump] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(folder / "sandbox.sqlite3", check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_SCHEMA)

    @property
    def is_lasting(self) -> bool:
        """Say whether documents survive this process."""
        return self._connection is not None

    def mark(self, kind: str, key: str, dump: Dump) -> None:
        """Have this document written at the next flush, as it will be then."""
        if self._connection is not None:
            self._marked[kind, key] = dump

    def load(self, kind: str) -> Iterator[tuple[str, str]]:
        """Read every document of a kind, in the order of their keys."""
        if self._connection is not None:
            yield from self._connection.execute(
                "SELECT key, body FROM document WHERE kind = ? ORDER BY key", (kind,)
            )

    def flush(self) -> None:
        """Write all marked documents in one transaction."""
        if self._connection is None or not self._marked:
            return
        marked, self._marked = self._marked, {}
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO document (kind, key, body) VALUES (?, ?, ?)",
                ((kind, key, dump()) for (kind, key), dump in marked.items()),
            )

    def clear(self) -> None:
        """Forget everything."""
        self._marked.clear()
        if self._connection is not None:
            with self._connection:
                self._connection.execute("DELETE FROM document")

    def close(self) -> None:
        """Write what is marked and let go of the file."""
        self.flush()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
