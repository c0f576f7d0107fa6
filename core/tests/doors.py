"""A door in front of the tests' Redis, which a test may shut, block and open again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Door:
    """Passes bytes to a server while it is open; when blocked it takes them and says nothing."""

    def __init__(self, url: str) -> None:
        behind = urlsplit(url)
        self._behind = (behind.hostname or "", behind.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self.url = url.replace(f":{behind.port}/", f":{self._port}/")
        self.visits = 0
        self._is_blocked = False
        self._open: list[socket.socket] = []
        self._serve()

    def shut(self) -> None:
        """Refuse every connection and drop those there are, as a stopped server does."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def block(self) -> None:
        """Accept and never answer, as a server that hangs does."""
        self.shut()
        self._is_blocked = True
        self._reopen()

    def open(self) -> None:
        """Pass bytes again, at the same address."""
        self.shut() if self._is_blocked else None
        self._is_blocked = False
        self._reopen()

    def _reopen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                visitor, _ = listener.accept()
            except OSError:
                return
            self.visits += 1
            self._open.append(visitor)
            if not self._is_blocked:
                server = socket.create_connection(self._behind)
                self._open.append(server)
                for pair in ((visitor, server), (server, visitor)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


@contextmanager
def door_to(url: str) -> Iterator[Door]:
    """Stand in front of the server at a URL until the block ends."""
    door = Door(url)
    try:
        yield door
    finally:
        with suppress(OSError):
            door.shut()
