"""Servers that play a script, or send everybody away, whatever a client says."""

import json
import threading
import time
from contextlib import closing, suppress
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve


class _Server:
    """A server in a thread, until it is closed."""

    def __init__(self, play, **options):
        self._server = serve(play, "127.0.0.1", 0, **options)
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join(timeout=60)


class Stage(_Server):
    """A server that plays one script after the other, the last one from then on."""

    def __init__(self, scripts):
        self.greetings = []
        self.heard = []
        self._scripts = list(scripts)
        super().__init__(self._play, compression=None)

    def _play(self, connection):
        with suppress(ConnectionClosed):
            self.greetings.append((time.monotonic(), json.loads(connection.recv(timeout=60))))
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
            *messages, code = script
            for message in messages:
                if message is ...:
                    self.heard.append(json.loads(connection.recv(timeout=60)))
                else:
                    connection.send(json.dumps(message))
            if code is not None:
                connection.close(code)
            while True:
                connection.recv()


class Door(_Server):
    """What stands in front of a server that nobody reaches now; it says when to come again."""

    def __init__(self, retry_after):
        self.asked = []
        self._retry_after = retry_after
        super().__init__(None, process_request=self._refuse)

    def _refuse(self, connection, request):
        self.asked.append(urlsplit(request.path).path)
        answer = connection.respond(429, "")
        answer.headers["Retry-After"] = str(self._retry_after)
        return answer


def stage(*scripts):
    """
    Play scripts: messages, and then the code to close with, or nothing to stay open.

    Where a message is `...`, the server waits for the client to say something.
    """
    return closing(Stage(scripts))


def turned_away(*, retry_after):
    """Answer everything with a refusal for so many seconds."""
    return closing(Door(retry_after))
