"""What we rely on at Alpaca's price socket: who gets in, and that an answer tells it all."""

import pytest

from core.errors import VendorRejected, VendorUnavailable
from market.facts import Covered, Trade
from market.gateways.alpaca_stream import AlpacaStream

VENDOR = "alpaca-stream"
pytestmark = pytest.mark.usefixtures("vendor")


def hear(stream, *, until):
    news = []
    for _ in range(50):
        news += stream.read(timeout_seconds=0.2)
        if any(map(until, news)):
            break
    return news


def test_each_answer_tells_all_that_is_sent():
    with AlpacaStream(channels=["trades"]).open() as stream:
        for symbols in ({"AAPL", "SPY"}, {"SPY"}, {"SPY", "MSFT"}):
            stream.cover(symbols)
            whole = Covered(frozenset(symbols))
            assert whole in hear(stream, until=whole.__eq__)


def test_trades_carry_numbers_and_nanoseconds():
    with AlpacaStream(channels=["trades"]).open() as stream:
        stream.cover(["SPY"])
        news = hear(stream, until=lambda told: type(told) is Trade)

    for trade in [told for told in news if type(told) is Trade]:  # at night there may be none
        assert trade.symbol == "SPY"
        assert type(trade.price) in {float, int}
        assert type(trade.at_ns) is int


def test_a_wrong_secret_is_refused(settings):
    settings.ALPACA_BROKER_SECRET = "wrong"

    with pytest.raises(VendorRejected) as caught, AlpacaStream().open():
        pass

    assert caught.value.vendor_code == "402"


def test_a_second_connection_is_one_too_many():
    with AlpacaStream().open(), pytest.raises(VendorUnavailable) as caught, AlpacaStream().open():
        pass

    assert caught.value.vendor_code == "406"
