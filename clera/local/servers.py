"""PostgreSQL and Redis together: starting both and waiting until both answer."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clera.local.children import Child, Children, Program
from clera.local.errors import LocalError
from clera.local.postgres import Cluster
from clera.local.redis import Store

TRIES = 5
START_SECONDS = 60.0
POLL_SECONDS = 0.03

Pump = Callable[[float], None]
NextPort = Callable[[], int]


@dataclass
class Server:
    """One server on its way: it may still lose the race for its port to another program."""

    describe: Callable[[int], Program]
    answers: Callable[[int], bool]
    next_port: NextPort
    children: Children
    port: int = 0
    child: Child | None = None

    def launch(self) -> "Server":
        """Start it on the next port."""
        self.port = self.next_port()
        self.child = self.children.start(self.describe(self.port))
        return self

    def wait(self, pump: Pump) -> int:
        """
        Wait until it answers and return its port.

        :raises LocalError: it does not come up.
        """
        deadline = time.monotonic() + START_SECONDS
        deaths = 0
        while time.monotonic() < deadline and deaths < TRIES:
            if self.child is not None and self.child.has_ended():
                deaths += 1
                self.children.collect(self.child)
                self.launch()
            if self.answers(self.port):
                return self.port
            pump(POLL_SECONDS)
        name = self.describe(self.port).name
        raise LocalError(f"{name} did not start; its messages are above, and `make doctor` helps.")


def launch_postgres(children: Children, cluster: Cluster, next_port: NextPort) -> Server:
    """Start PostgreSQL on the databases, creating them the first time."""
    cluster.prepare()
    return Server(cluster.program, cluster.answers, next_port, children).launch()


def launch_redis(children: Children, store: Store, next_port: NextPort) -> Server:
    """Start Redis."""
    return Server(store.program, store.answers, next_port, children).launch()


def start_both(
    children: Children, cluster: Cluster, store: Store, *, on_ports: tuple[NextPort, NextPort]
) -> Mapping[str, str]:
    """Start both servers and return the variables that tell programs where they are."""
    redis = launch_redis(children, store, on_ports[1])
    database = launch_postgres(children, cluster, on_ports[0])
    return {
        "DATABASE_URL": cluster.url(database.wait(children.pump)),
        "REDIS_URL": store.url(redis.wait(children.pump)),
    }
