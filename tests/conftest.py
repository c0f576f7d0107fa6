"""One whole Clera, shared by every test that looks at it from outside."""

import pytest

from tests.e2e import running as running_clera


@pytest.fixture(scope="session")
def clera(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clera") / "local"
    folder.mkdir()
    running = running_clera.start(folder)
    yield running
    if running.process.poll() is None:
        running_clera.stop(running)
