"""Vendors, published prices and accounts for the tests of the whole book."""

from datetime import timedelta

import pytest

from core import realtime
from market import frames
from market.tests import factories as market_factories
from portfolio.tests import books
from trading.tests import factories as trading


@pytest.fixture
def vendors():
    vendors = market_factories.vendors()
    with market_factories.gateways.use(vendors):
        yield vendors


@pytest.fixture
def published(vendors):
    """Apple at 100.00 after 99.00, and a contract for a hundred of something at 2.50 after 2.00."""
    realtime.connection().delete(frames.SNAPSHOT_KEY)
    apple, contract = trading.new_instrument("AAPL"), trading.new_instrument("CONTRACT")
    contract.multiplier = 100
    contract.save()
    trading.set_price(contract, "2.50", close="2.00")
    yield apple
    realtime.connection().delete(frames.SNAPSHOT_KEY)


@pytest.fixture
def closed():
    return books.session(timedelta(minutes=3))


@pytest.fixture
def book():
    """Accounts of every sort, by what is special about them."""
    return books.make_book()
