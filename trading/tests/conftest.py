"""A broker in memory and a market with prices, for the tests of trading."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts import services as account_services
from accounts.tests.factories import application
from core import realtime
from core.tests.sandboxes import PATIENT_SECONDS, running
from ledger.tests import invariants as ledger_invariants
from ledger.tests.agreement import ledger_agrees, may_differ  # noqa: F401 - fixtures
from market import frames
from market import selectors as market_selectors
from market.facts import Session
from trading import gateways, services
from trading.gateways import alpaca
from trading.gateways.fake import FakeBroker
from trading.services import orders
from trading.tests import factories, invariants
from trading.tests.factories import customer


@pytest.fixture
def broker():
    fake = FakeBroker()
    with gateways.use(fake):
        yield fake


@pytest.fixture
def prices():
    """Leave no price behind, and no word on whether the market is open."""
    realtime.connection().delete(frames.SNAPSHOT_KEY)
    market_selectors._session.clear()
    yield
    realtime.connection().delete(frames.SNAPSHOT_KEY)
    market_selectors._session.clear()


@pytest.fixture
def open_market(prices):
    """Have the market be open, so that nobody asks the broker."""
    now = datetime.now(UTC)
    word = Session(asked_at=now - timedelta(days=1), is_open=True, changes_at=now + timedelta(1))
    market_selectors._session[:] = [word]


@pytest.fixture
def apple(db, open_market):
    return factories.new_instrument("AAPL", price="100.00")


@pytest.fixture
def account(db, apple):
    account = factories.new_account()
    factories.fund(account)
    return account


@pytest.fixture
def place(account):
    """Place an order as the account's owner does."""

    def place(ticket, *, principal=None, request=None):
        return services.place_order(
            principal=principal or factories.customer(account.user_id),
            account_id=account.pk,
            ticket=ticket,
            request=request,
            at=datetime.now(UTC),
        )

    return place


def client_of(principal):
    client = APIClient()
    client.force_authenticate(user=principal)
    return client


@pytest.fixture
def alice(account, broker):
    return client_of(customer())


@pytest.fixture
def bob(account, broker):
    return client_of(customer("bob-sub"))


@pytest.fixture
def no_hurry(settings, monkeypatch):
    """
    Have nothing come too late, however long a busy machine lets a thread wait.

    No price and no holdings grow old, no order stays here because it could not leave at once, and
    no request is taken for one that has died.
    """
    settings.ORDER_QUOTE_SECONDS = 3600
    settings.VENDOR_TOTAL_SECONDS = PATIENT_SECONDS
    monkeypatch.setattr(alpaca, "BEGINS_WITHIN", float(PATIENT_SECONDS))
    monkeypatch.setattr(orders, "HOLDINGS_TRUST", timedelta(hours=1))


@pytest.fixture(scope="session")
def running_sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox, settings, prices):
    """A real sandbox with nothing in it, to which the real clients talk."""
    running_sandbox.reset()
    running_sandbox.point(settings)
    settings.INTENT_LOOK_SECONDS = 0
    return running_sandbox


@pytest.fixture
def sandbox_account(sandbox):
    """A customer's active account with $10,000 in it, opened the ordinary way."""
    at = datetime.now(UTC)
    account = account_services.open_account(
        principal=customer(), application=application(), request=None, at=at
    )
    sandbox.advance(5)
    account_services.refresh_account(principal=customer(), account_id=account.pk)
    seed = {"cash": "10000", "months": 1}
    sandbox.control("POST", f"/accounts/{account.broker_account_id}/seed", seed)
    return account


@pytest.fixture(autouse=True)
def _same_time(request):
    """Give the database's clock back its own time."""
    yield
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if uses_database and connection.connection is not None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('clera.clock_offset', '', false)")


@pytest.fixture(autouse=True)
def _books_are_right(request):
    """Look after every test whether the cash ledger knows of its orders what it has to."""
    yield
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if uses_database and not connection.needs_rollback:
        ledger_invariants.check()
        invariants.check()
