"""
A process that has loaded Clera once, and forks web and worker processes for others to kill.

Loading takes seconds and forking takes none, so that a test can kill two hundred of them. What
runs in a fork is what runs in production: uvicorn, and a Celery worker. Every fork is announced
on the standard output as `{"kind": ..., "port": ..., "pid": ...}`; one that dies is replaced.
"""

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass

import uvicorn

from clera.asgi import application
from clera.celery import app

WEB, WORKER = "web", "worker"


@dataclass(frozen=True)
class Place:
    """What a fork does; a worker has no port."""

    kind: str
    port: int = 0

    def run(self) -> None:
        if self.kind == WEB:
            uvicorn.run(
                application,
                host="127.0.0.1",
                port=self.port,
                lifespan="off",
                log_level="error",
                timeout_keep_alive=60,
            )
        else:
            queues = ["-Q", "money,default", "-P", "solo"]
            quiet = [
                "--without-gossip",
                "--without-mingle",
                "-l",
                "ERROR",
                "-n",
                f"{os.getpid()}@chaos",
            ]
            app.worker_main(["worker", *queues, *quiet])


def main(web_ports: list[int], workers: int) -> None:
    """Keep one fork alive for each place, until we are told to end."""
    places = [Place(WEB, port) for port in web_ports] + [Place(WORKER)] * workers
    alive: dict[int, Place] = {}
    parent = os.getpid()

    def end(*_: object) -> None:
        if os.getpid() == parent:
            for pid in alive:
                os.kill(pid, signal.SIGKILL)
        os._exit(0)

    for place in places:
        alive[_fork(place)] = place
    signal.signal(signal.SIGTERM, end)
    while alive:
        pid, _ = os.wait()
        place = alive.pop(pid)
        alive[_fork(place)] = place


def _fork(place: Place) -> int:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        try:
            place.run()
        finally:
            os._exit(1)
    print(json.dumps({**asdict(place), "pid": pid}), flush=True)  # noqa: T201 - its reader waits
    return pid


if __name__ == "__main__":
    main([int(port) for port in sys.argv[2:]], workers=int(sys.argv[1]))
