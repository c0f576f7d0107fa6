"""Vendors in memory and pretend ones over the wire, and a Redis without prices."""

import pytest

from core import realtime
from core.tests.sandboxes import running
from market import frames, gateways, interest, selectors
from market.gateways import alpaca_coins
from market.price_book import PriceBook
from market.tests import books, factories


@pytest.fixture
def vendors():
    vendors = factories.vendors("AAPL", "MSFT", "SPY")
    with gateways.use(vendors):
        yield vendors


@pytest.fixture(scope="module")
def running_sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox, settings):
    """A sandbox with nothing in it, which all real clients of this app talk to."""
    running_sandbox.reset()
    running_sandbox.point(settings)
    settings.VENDOR_CONNECT_SECONDS = 20
    settings.FMP_URL = f"{running_sandbox.url}/fmp"
    streams = running_sandbox.url.replace("http:", "ws:") + "/alpaca/stream"
    settings.ALPACA_STREAM_URL = f"{streams}/v2/iex"
    settings.ALPACA_CRYPTO_STREAM_URL = f"{streams}/v1beta3/crypto/us"
    alpaca_coins._kept.clear()
    yield running_sandbox
    alpaca_coins._kept.clear()


@pytest.fixture
def no_prices():
    keys = [frames.SNAPSHOT_KEY, frames.AS_OF_KEY, frames.WANTED_KEY, interest.KEY]
    realtime.connection().delete(*keys)
    selectors._session.clear()
    interest._noted.clear()
    yield
    realtime.connection().delete(*keys)
    selectors._session.clear()


@pytest.fixture
def book():
    book = PriceBook()
    book.add("AAPL", 5)
    return book


@pytest.fixture
def priced(book):
    """A book with a price of 100 that nobody has asked for yet."""
    book.offer([factories.trade(price=100.0)], now_ns=books.NOW)
    book.take_changes()
    return book
