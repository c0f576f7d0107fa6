"""The world around a closure, and a real sandbox."""

import pytest
from rest_framework.test import APIClient

from core import realtime
from core.tests.sandboxes import running
from ledger.tests.agreement import ledger_agrees, may_differ  # noqa: F401 - fixtures
from market import frames, selectors
from tests.closure.world import World


@pytest.fixture
def prices():
    """Leave no price and no session behind."""
    realtime.connection().delete(frames.SNAPSHOT_KEY)
    selectors._session.clear()
    yield
    realtime.connection().delete(frames.SNAPSHOT_KEY)
    selectors._session.clear()


@pytest.fixture
def world(db, prices):
    with World().in_use() as world:
        yield world


@pytest.fixture
def api():
    """A client that is whoever the test says."""

    def signed_in(principal):
        client = APIClient()
        client.force_authenticate(user=principal)
        return client

    return signed_in


@pytest.fixture(scope="session")
def _sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox, settings, prices):
    """A real sandbox with nothing in it, to which the real clients talk."""
    _sandbox.reset()
    _sandbox.point(settings)
    return _sandbox
