"""The vendor's socket, as fast as loopback: `python -m benchmarks.feed.vendor` tells its port."""

import sys
from typing import Any

import msgpack
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.server import ServerConnection, serve

from benchmarks.feed import recording

_AT_ONCE = 1024 * 1024


def joined(bodies: list[bytes]) -> list[bytes]:
    """Write WebSocket frames beforehand, and put as many together as are sent at once."""
    pieces, piece = [], bytearray()
    for body in bodies:
        piece += Frame(Opcode.BINARY, body).serialize(mask=False)
        if len(piece) >= _AT_ONCE:
            pieces.append(bytes(piece))
            piece.clear()
    return [*pieces, bytes(piece)]


class Vendor:
    """Lets anybody in, and sends the whole day that the path names once trades are asked for."""

    def __init__(self) -> None:
        self._days = {
            f"/{kind.name}": joined(recording.frames(kind)) for kind in recording.KINDS.values()
        }

    def serve(self, connection: ServerConnection) -> None:
        """Lead one conversation."""
        assert connection.request is not None
        pieces = self._days[connection.request.path]
        self._say(connection, T="success", msg="connected")
        try:
            while True:
                asked = msgpack.unpackb(connection.recv())
                if asked["action"] == "auth":
                    self._say(connection, T="success", msg="authenticated")
                elif asked["action"] == "subscribe":
                    self._say(connection, T="subscription", trades=asked["trades"])
                    for piece in pieces:  # whole frames, and nobody else writes meanwhile
                        connection.socket.sendall(piece)
        except (ConnectionClosed, OSError):
            return

    @staticmethod
    def _say(connection: ServerConnection, **fields: Any) -> None:
        connection.send(msgpack.packb([fields]))


def main() -> None:
    """Serve until the process is ended."""
    with serve(Vendor().serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        sys.stdout.write(f"{server.socket.getsockname()[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
