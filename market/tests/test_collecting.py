"""Which symbols the leader follows: what is held, watched or asked for, as soon as it is."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import realtime
from market import gateways, interest, selectors, services
from market.collecting import Collector
from market.desk import Desk
from market.models import Instrument
from market.tests import factories
from market.tests.leading import Listener, eventually, leading, want

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_prices")]


@pytest.fixture(autouse=True)
def _silence_is_no_matter(settings):
    """A socket that is opened anew would be asked for everything once more."""
    settings.FEED_STALE_SECONDS = 600


def test_what_is_wanted_later_is_followed_within_a_second(vendors):
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("SPY"))
        assert eventually(lambda: vendors.stream.covered)

        def follows(symbol):
            is_covered = vendors.stream.covered[-1] == {"SPY", symbol}
            return is_covered and heard.price_of(symbol) == Decimal(100)

        took = []
        for symbol in ("MSFT", "AAPL"):
            want(symbol)
            took.append(seconds_until(partial(follows, symbol)))
            want()
            took.append(seconds_until(lambda: vendors.stream.covered[-1] == {"SPY"}))

    assert min(took) < 1.0
    assert max(took) < 12.0  # on a busy machine; nobody waits until all is read again


def seconds_until(check):
    started = time.monotonic()
    assert eventually(check)
    return time.monotonic() - started


def test_the_union_of_all_reasons_is_followed_and_only_changes_are_told(vendors):
    Instrument.objects.keep(map(factories.asset, ("AAPL", "MSFT", "SPY")))
    want("AAPL", reason="held")
    want("AAPL", "MSFT", reason="watched")
    with leading():
        assert eventually(lambda: vendors.stream.covered == [frozenset({"AAPL", "MSFT", "SPY"})])
        want(reason="held")
        want("MSFT", "AAPL", reason="watched")
        selectors.get_quote(symbol="MSFT", at=datetime.now(UTC))
        assert not eventually(lambda: len(vendors.stream.covered) > 1, within=1.0)


def test_what_an_order_asks_the_price_of_is_followed_for_a_while(vendors):
    with leading():
        assert eventually(lambda: vendors.stream.covered == [frozenset({"SPY"})])
        selectors.get_quote(symbol="AAPL", at=datetime.now(UTC))
        assert eventually(lambda: vendors.stream.covered[-1] == {"AAPL", "SPY"})
        realtime.connection().zadd(interest.KEY, {"AAPL": time.time() - 1})
        assert eventually(lambda: vendors.stream.covered[-1] == {"SPY"})


class TestInterest:
    def test_a_symbol_is_noted_once_in_a_while(self):
        interest.note("AAPL")
        realtime.connection().delete(interest.KEY)
        interest.note("AAPL")
        interest.note("MSFT")

        assert interest.newest() == {"MSFT"}

    def test_only_the_newest_are_followed(self):
        realtime.connection().zadd(
            interest.KEY, {f"S{n}": time.time() + 60 + n for n in range(interest.MOST + 5)}
        )

        found = interest.newest()

        assert len(found) == interest.MOST
        assert "S4" not in found
        assert "S5" in found


def test_an_unknown_symbol_disturbs_nobody(vendors):
    want("AAPL", "NOPE")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        assert eventually(lambda: "NOPE" in vendors.broker.asked)
        heard.read(seconds=0.5)

    assert vendors.broker.asked.count("NOPE") == 1


def test_more_than_a_thousand_symbols_cost_a_few_queries_and_no_vendor(vendors):
    symbols = [f"T{n}" for n in range(1_200)]
    Instrument.objects.keep([factories.asset(symbol) for symbol in symbols])
    services.want_symbols(reason="held", symbols=symbols)
    desk = Desk()
    collector = Collector(desk)

    with CaptureQueriesContext(connection) as first:
        collector.round()
    services.want_symbols(reason="held", symbols=symbols[1:])
    with CaptureQueriesContext(connection) as second:
        collector.round()

    assert desk.wanted == set(symbols[1:])
    assert desk.unknown == {"SPY"}
    assert (len(first), len(second)) == (2, 2)
    assert vendors.broker.asked == []


def test_a_coin_brings_the_one_that_always_moves(vendors):
    with gateways.use(factories.vendors("SPY", "DOGE/USD", "BTC/USD")):
        want("DOGE/USD")
        with Listener() as heard, leading():
            assert eventually(lambda: heard.price_of("BTC/USD") == Decimal(100))
