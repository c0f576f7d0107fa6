import os
import signal
import socket
from itertools import takewhile

import pytest

from clera.local.tests.factories import FOREVER, is_running, pids_in, python
from clera.local.tests.runs import Running, home_in, runs_in


@pytest.fixture
def taken_port():
    """A port on which this very process listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.fixture
def where(tmp_path):
    with home_in(tmp_path) as found:
        yield found


@pytest.fixture
def family(tmp_path):
    folder = tmp_path / "pids"
    folder.mkdir()
    yield folder
    for pid in pids_in(folder):
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def stranger():
    """A program that somebody else has started, in the same terminal."""
    process = python(FOREVER)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def start(where):
    with runs_in(where) as start:
        yield start


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with home_in(tmp_path_factory.mktemp("running")) as where, runs_in(where) as start:
        run = start()
        lines = iter(run.stdout.readline, "")
        shown = list(takewhile(lambda line: "data stays" not in line, lines))
        yield Running(where, start, run, "".join(shown))
