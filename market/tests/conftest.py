"""Vendors in memory for every test of the market, and a Redis without prices."""

import pytest

from core import realtime
from market import frames, gateways, selectors
from market.tests import factories


@pytest.fixture
def vendors():
    vendors = factories.vendors("AAPL", "MSFT", "SPY")
    with gateways.use(vendors):
        yield vendors


@pytest.fixture
def no_prices():
    keys = [frames.SNAPSHOT_KEY, frames.AS_OF_KEY, frames.WANTED_KEY]
    realtime.connection().delete(*keys)
    selectors._session.clear()
    yield
    realtime.connection().delete(*keys)
    selectors._session.clear()
