"""What the leader tells monitoring."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core import metrics, metrics_shelf, realtime
from market.desk import Desk
from market.facts import Session
from market.reporting import PROCESS, Reporter
from market.tests.factories import snapshot, trade


def rejected(reason):
    return metrics.TICKS_REJECTED.labels(reason)._value.get()


def desk_with(*symbols, is_open=True):
    desk = Desk()
    desk.want({symbol: number for number, symbol in enumerate(symbols)})
    now = datetime.now(UTC)
    desk.session = Session(now, is_open=is_open, changes_at=now + timedelta(hours=1))
    return desk


def test_refused_prices_are_counted_once_each_by_reason():
    desk = desk_with("AAPL")
    reporter = Reporter(desk)
    before = rejected("price"), rejected("not_followed")
    now_ns, at = desk.vendor_now_ns(), datetime.now(UTC)
    desk.book.offer([trade("AAPL", -1.0, at=at), trade("NOPE", 1.0, at=at)], now_ns=now_ns)
    reporter.report()
    desk.book.offer([trade("AAPL", 0.0, at=at)], now_ns=now_ns)
    reporter.report()
    reporter.report()

    assert (rejected("price"), rejected("not_followed")) == (before[0] + 2, before[1] + 1)


def test_symbols_without_a_recent_price_are_stale_while_their_market_is_open(settings):
    settings.FEED_STALE_SECONDS = 5
    old, new = datetime.now(UTC) - timedelta(seconds=61), datetime.now(UTC)
    for is_open, stale in ((True, 3), (False, 1)):
        desk = desk_with("AAPL", "MSFT", "SPY", "BTC/USD", "ETH/USD", is_open=is_open)
        for symbol, at in (("AAPL", old), ("SPY", new), ("BTC/USD", old), ("ETH/USD", new)):
            desk.book.seed(snapshot(symbol, at=at), now_ns=desk.vendor_now_ns())

        assert Reporter(desk).count_stale() == stale


@pytest.mark.usefixtures("no_prices")
def test_the_figures_are_where_a_web_process_finds_them():
    Reporter(desk_with("AAPL")).report()

    text = metrics_shelf.read_all(realtime.connection())[PROCESS].decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}

    assert families["clera_stale_symbols"].samples[0].value == 1
