"""The broker's books of these tests, and what must be true after each of them."""

import pytest

from accounts.tests.factories import make_account
from core.tests.sandboxes import running
from ledger import gateways
from ledger.gateways.fake import FakeBooks
from ledger.tests import invariants
from ledger.tests.agreement import ledger_agrees, may_differ  # noqa: F401 - fixtures


@pytest.fixture
def books():
    fake = FakeBooks()
    with gateways.use(fake):
        yield fake


@pytest.fixture
def account(db):
    return make_account()


@pytest.fixture
def at_broker(books, account):
    """Write into the account's book at the broker."""

    def book(activity_type, cash, **more):
        return books.book(account.broker_account_id, activity_type, cash, **more)

    return book


@pytest.fixture(scope="session")
def _sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox, settings):
    """A real sandbox with nothing in it, to which the real clients talk."""
    _sandbox.reset()
    _sandbox.point(settings)
    return _sandbox


@pytest.fixture(autouse=True)
def _ledger_holds(request):
    """Whatever a test has done, the ledger is in order afterwards."""
    yield
    if {"db", "transactional_db"} & set(request.fixturenames):
        invariants.check()
