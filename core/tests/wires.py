"""A raw TCP vendor for tests: answers each connection with given bytes, slowly, or not at all."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Behaviour = Callable[[socket.socket, bytes], None]


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _piece(connection: socket.socket) -> bytes:
    """Read what came; a client that gave up has nothing more to say, however often it is asked."""
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionAbortedError
    return piece


def _whole(connection: socket.socket) -> bytes:
    """Read one request with its body, which may come in pieces."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += _piece(connection)
    head, _, body = request.partition(b"\r\n\r\n")
    sizes = [
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    while len(body) < sum(sizes):
        body += _piece(connection)
    return head + b"\r\n\r\n" + body


@contextmanager
def vendor(behaviour: Behaviour) -> Iterator[tuple[str, list[bytes]]]:
    """Serve on a free port until the block ends; yields the URL and every request seen."""
    requests: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection:
            try:
                request = _whole(connection)
                requests.append(request)
                behaviour(connection, request)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", requests
    finally:
        server.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        server.close()
