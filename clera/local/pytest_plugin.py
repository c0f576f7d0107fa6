"""Starts a PostgreSQL and a Redis for the test run before Django reads its settings."""

import os
from collections.abc import Generator
from typing import Any

import pytest

from clera.local.testing import Servers, start_servers

_servers: list[Servers] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, Any, Any]:
    """Start the servers; they end with this process, however it ends."""
    servers = start_servers()
    _servers.append(servers)
    os.environ.update(servers.env)
    os.environ["CLERA_ENV_FILE"] = os.devnull  # no test may use the developer's own keys
    return (yield)


def pytest_unconfigure() -> None:
    """End what this run has started."""
    while _servers:
        _servers.pop().stop()
