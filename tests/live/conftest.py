"""A web process, an identity provider and a market for the tests of live values."""

import pytest

from clera.asgi import application
from core import realtime
from market import frames, gateways
from market.tests import factories as market_factories
from tests.live import factories
from trading.tests import factories as trading_factories


@pytest.fixture(autouse=True)
def silence_is_no_matter(settings):
    """Prices that are told once stay live while a busy machine does the rest of a test."""
    settings.FEED_STALE_SECONDS = 600


@pytest.fixture
def vendors():
    vendors = market_factories.vendors("AAPL", "MSFT", "SPY")
    with gateways.use(vendors):
        yield vendors


@pytest.fixture
def restartable_redis(settings):
    """A Redis of this test alone; ask for it before anything that uses Redis."""
    with factories.own_redis() as redis:
        settings.REDIS_URL = redis.start().url
        realtime.connection.cache_clear()
        yield redis
    realtime.connection.cache_clear()


@pytest.fixture
def no_prices():
    keys = [frames.SNAPSHOT_KEY, frames.AS_OF_KEY, frames.WANTED_KEY]
    realtime.connection().delete(*keys)
    yield
    realtime.connection().delete(*keys)


@pytest.fixture
def token(issuer):
    return issuer.token(sub=factories.OWNER)


@pytest.fixture
def port(transactional_db, vendors, no_prices, issuer):
    with factories.serving(application) as port:
        yield port


@pytest.fixture
def account(transactional_db, vendors):
    """An account with 1,000 dollars and three shares of Apple."""
    account = trading_factories.new_account(factories.OWNER)
    trading_factories.fund(account, cash="1000.00", positions={"AAPL": "3"})
    return account


@pytest.fixture
def publisher(account, no_prices):
    publisher = factories.Publisher()
    publisher.follow("AAPL", "100", close="99")
    publisher.tick()
    return publisher


@pytest.fixture
def cramped(monkeypatch):
    """Little room for those who read slowly."""
    for name in ("_KERNEL_BUFFER", "_HIGH_WATER", "_LOW_WATER"):
        monkeypatch.setattr(f"clera.websockets.{name}", 2048)


@pytest.fixture
def impatient(settings, cramped):
    """Little room for those who read slowly, and little time."""
    settings.SOCKET_SLOW_SECONDS = 1
