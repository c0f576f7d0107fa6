"""A sandbox, an identity provider and two web processes for the tests of money over HTTP."""

from contextlib import ExitStack

import pytest

from core import realtime
from core.tests.sandboxes import running
from market import frames
from tests.money import people, webs


@pytest.fixture(scope="package")
def broker():
    with running() as sandbox:
        yield sandbox


@pytest.fixture(scope="package")
def web_urls(broker, lasting_issuer, django_db_setup):
    """Two web processes, as they are deployed, on the database and Redis of these tests."""
    with ExitStack() as stack:
        started = [stack.enter_context(webs.running(broker, lasting_issuer)) for _ in range(2)]
        for web in started:
            web.wait_until_ready()
        yield [web.url for web in started]


@pytest.fixture
def sandbox(broker, settings, transactional_db):
    """The sandbox with nothing in it, to which the real clients of the test itself talk, too."""
    broker.reset()
    broker.point(settings)
    settings.INTENT_LOOK_SECONDS = 0
    yield broker
    realtime.connection().delete(frames.SNAPSHOT_KEY)


@pytest.fixture
def ada(sandbox, lasting_issuer):
    return people.open_account(sandbox, lasting_issuer, "ada")


@pytest.fixture
def bob(sandbox, lasting_issuer):
    return people.open_account(sandbox, lasting_issuer, "bob")
