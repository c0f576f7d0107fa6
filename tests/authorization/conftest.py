"""The world of the matrix, made once for each module that asks for it."""

import pytest
from django.db import transaction
from django.test import override_settings

from core import realtime
from market import frames
from tests.authorization.world import World

AS_IN_PRODUCTION = {
    "LOCAL_TOKENS": False,
    "SANDBOX_URL": "http://127.0.0.1:9",  # whoever asks a vendor but those in memory is refused
    "STAFF_SECOND_FACTOR": True,
    "ORDER_QUOTE_SECONDS": 3600,  # the prices of this world are from its beginning
}


def pytest_addoption(parser):
    parser.addoption(
        "--write-shapes",
        action="store_true",
        help="Write down what bodies and answers consist of, besides comparing it.",
    )


@pytest.fixture
def committed_world(lasting_issuer, transactional_db):
    """The same for what works in threads of its own, which see only what is committed."""
    with override_settings(**AS_IN_PRODUCTION, SUPABASE_URL=lasting_issuer.url):
        yield World(lasting_issuer)
    realtime.connection().delete(frames.SNAPSHOT_KEY)


@pytest.fixture(scope="module")
def world(lasting_issuer, django_db_setup, django_db_blocker):
    """One transaction around the tests of a module; what each does is undone before the next."""
    with (
        django_db_blocker.unblock(),
        override_settings(**AS_IN_PRODUCTION, SUPABASE_URL=lasting_issuer.url),
    ):
        around = transaction.atomic()
        around._from_testcase = True
        with around:
            yield World(lasting_issuer)
            transaction.set_rollback(True)
        realtime.connection().delete(frames.SNAPSHOT_KEY)
