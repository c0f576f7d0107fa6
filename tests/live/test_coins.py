"""A coin moves an account's value while the stock market is closed."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from market import gateways
from market.tests import factories as market_factories
from portfolio import selectors
from tests.live.factories import OWNER, Publisher, signed_in
from trading.tests import factories as trading

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_prices")]


@pytest.fixture
def vendors():
    """A closed stock market, and a coin that can be asked for."""
    assets = {
        "AAPL": market_factories.asset(),
        "BTC/USD": market_factories.asset("BTC/USD", asset_class="crypto", exchange="CRYPTO"),
    }
    now = datetime.now(UTC)
    data = market_factories.FakeData(
        {
            "AAPL": market_factories.snapshot("AAPL", "100", at=now, close="100"),
            "BTC/USD": market_factories.snapshot("BTC/USD", "90000.5", at=now, close="88000"),
        }
    )
    broker = market_factories.FakeBroker(assets, is_open=False)
    vendors = market_factories.vendors(broker=broker, data=data)
    with gateways.use(vendors):
        yield vendors


@pytest.fixture
def account(transactional_db, vendors):
    """An account with 1,000 dollars, three shares and half a bitcoin."""
    account = trading.new_account(OWNER)
    trading.fund(account, cash="1000.00", positions={"AAPL": "3", "BTC/USD": "0.5"})
    return account


@pytest.fixture
def publisher(account):
    publisher = Publisher()
    publisher.desk.session = gateways.get().broker.session()
    publisher.follow("AAPL", "100", close="100")
    publisher.follow("BTC/USD", "90000.5", close="88000")
    publisher.tick()
    return publisher


def value_of(account):
    principal = trading.customer(OWNER)
    return selectors.get_value(principal=principal, account_id=account.pk, at=datetime.now(UTC))


def test_its_value_follows_the_coin(account, publisher):
    before = value_of(account)
    publisher.trade("BTC/USD", "91000.25")
    after = value_of(account)

    assert not publisher.desk.session.is_open
    assert (before.worth.total, before.worth.day_return) == (
        Decimal("46300.25"),
        Decimal("1000.25"),
    )
    # half of 91,000.25 and of 3,000.25, which lie in the middle of two cents: to the even one
    assert (after.worth.total, after.worth.day_return) == (
        Decimal("46800.12"),
        Decimal("1500.12"),
    )
    assert not after.is_stale
    assert after.record["positions"][1]["symbol"] == "BTC/USD"
    assert list(after.worth.unpriced) == []


def test_its_socket_tells_at_once(account, port, token, publisher):
    with signed_in(port, account.pk, token) as socket:
        told = socket.next(kind="snapshot")
        publisher.trade("BTC/USD", "89000")
        update = socket.next(kind="update")

    assert (told["raw_value"], told["raw_return"]) == (46300.25, 1000.25)
    assert (update["raw_value"], update["raw_return"]) == (45800.0, 500.0)
    assert update["stale"] is False


def test_it_is_asked_for_when_nobody_publishes(account):
    value = value_of(account)

    assert (value.worth.total, list(value.worth.unpriced)) == (Decimal("46300.25"), [])
