"""The client of the price socket, against the sandbox."""

import contextlib
import time

import httpx
import msgpack
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from core.errors import VendorError, VendorRejected, VendorUnavailable
from market.facts import Band, Bar, BestPrices, Corrected, Covered, Halted, Refused, Trade
from market.gateways.alpaca_stream import AlpacaStream, _OpenStream

AT = "2026-01-05T15:30:00.5+00:00"
AT_NS = 1_767_627_000_500_000_000


def faults(sandbox, **wanted):
    with httpx.Client(trust_env=False) as client:
        answer = client.post(f"{sandbox.url}/alpaca/stream/_faults", json=wanted)
    answer.raise_for_status()
    return answer.json()


@contextlib.contextmanager
def opened(channels=("trades",), *, url=None):
    with AlpacaStream(url, channels).open() as stream:
        yield stream


def hear(stream, wanted, *, within=60.0):
    """Read until something is as wanted, and return all that came."""
    deadline, news = time.monotonic() + within, []
    while not any(map(wanted, news)):
        assert time.monotonic() < deadline, news
        news += stream.read(timeout_seconds=0.1)
    return news


def hear_the_end(stream, *, match=None):
    """Read until it ends, and return what came before that, and the error."""
    news, deadline = [], time.monotonic() + 60

    def read_on():
        while time.monotonic() < deadline:
            news.extend(stream.read(timeout_seconds=0.1))

    with pytest.raises(VendorUnavailable, match=match) as caught:
        read_on()
    return news, caught.value


def settle(stream):
    """Read until all that was asked for has been answered, and return what came."""
    deadline, news = time.monotonic() + 60, []
    while stream._unanswered:
        assert time.monotonic() < deadline, news
        news += stream.read(timeout_seconds=0.1)
    return news


def covers(*symbols):
    return lambda told: told == Covered(frozenset(symbols))


class TestWhatIsSent:
    def test_all_channels_of_the_setting_are_asked_for_and_every_status(self, sandbox, settings):
        faults(sandbox, stall=True)
        state, deadline = {}, time.monotonic() + 60
        with AlpacaStream().open() as stream:
            stream.cover(["AAPL"])
            while not state.get("statuses"):  # the last of them
                assert time.monotonic() < deadline, state
                for message in stream._receive(timeout_seconds=1):
                    state = msgpack.unpackb(message)[0]

        asked = {channel for channel, symbols in state.items() if symbols == ["AAPL"]}
        along = {"corrections", "cancelErrors"}  # come with trades
        assert asked == {"trades", "quotes", "bars", "updatedBars", "lulds"} | along
        assert state["statuses"] == ["*"]

    def test_trades_and_quotes_move(self, sandbox):
        with opened(("trades", "quotes")) as stream:
            stream.cover(["AAPL", "SPY"])
            news = hear(stream, lambda told: type(told) is Trade)
            news += hear(stream, lambda told: type(told) is BestPrices)

        assert {told.symbol for told in news if type(told) is Trade} <= {"AAPL", "SPY"}
        quote = next(told for told in news if type(told) is BestPrices)
        assert 0 < quote.bid < quote.ask
        assert abs(quote.at_ns - time.time_ns()) < 60 * 10**9

    @pytest.mark.parametrize(
        ("sent", "told"),
        [
            ({"T": "b", "c": 1.5}, Bar("AAPL", 1.5, AT_NS)),
            ({"T": "u", "c": 1.5}, Bar("AAPL", 1.5, AT_NS, is_updated=True)),
            ({"T": "l", "u": 105.5, "d": 95.5}, Band("AAPL", 95.5, 105.5, AT_NS)),
            ({"T": "c", "op": 101.5, "cp": 100.5}, Corrected("AAPL")),
            ({"T": "x", "p": 101.5}, Corrected("AAPL")),
            ({"T": "s", "sc": "H"}, Halted("AAPL", is_halted=True)),
        ],
    )
    def test_rarer_kinds_arrive(self, sandbox, sent, told):
        faults(sandbox, stall=True)
        with AlpacaStream().open() as stream:
            stream.cover(["AAPL"])
            settle(stream)
            faults(sandbox, inject=[{"S": "AAPL", "t": AT} | sent])

            assert told in hear(stream, lambda heard: heard == told)

    def test_corrections_and_cancels_follow_their_trades(self, sandbox):
        faults(sandbox, correct_every=1, tick_seconds=0.02)
        with opened() as stream:
            stream.cover(["SPY"])
            news = hear(stream, lambda told: type(told) is Corrected)

        assert type(news[-2]) is Trade
        assert news[-1] == Corrected("SPY")

    def test_a_band_comes_before_the_trade_that_moves_it(self, sandbox):
        faults(sandbox, sends_bands=True, tick_seconds=30)
        sandbox.control("POST", "/prices", {"AAPL": "100"})
        with opened(("trades", "lulds")) as stream:
            stream.cover(["AAPL"])
            settle(stream)
            sandbox.control("POST", "/prices", {"AAPL": "200"})
            news = hear(stream, lambda told: type(told) is Trade)

        band, trade = news[-2:]
        assert (band.low, band.high, trade.price) == (190.0, 210.0, 200.0)
        assert band.at_ns == trade.at_ns

    def test_an_unknown_kind_disturbs_nobody(self, sandbox):
        faults(sandbox, tick_seconds=0.05)
        with opened() as stream:
            stream.cover(["SPY"])
            faults(sandbox, inject=[{"T": "?", "S": "SPY"}])

            hear(stream, lambda told: type(told) is Trade)


class TestWhatIsCovered:
    def test_changes_are_asked_for_alone_and_answered_whole(self, sandbox):
        faults(sandbox, stall=True)
        with opened() as stream:
            stream.cover(["AAPL", "MSFT"])
            hear(stream, covers("AAPL", "MSFT"))
            stream.cover(["MSFT", "SPY"])
            news = hear(stream, covers("MSFT", "SPY"))
            stream.cover(["MSFT", "SPY"])

            assert news == [Covered(frozenset({"MSFT"})), Covered(frozenset({"MSFT", "SPY"}))]
            assert stream.read(timeout_seconds=0.1) == []

    def test_more_symbols_than_allowed_leave_the_earlier_ones_covered(self, sandbox):
        faults(sandbox, stall=True, symbol_limit=2)
        with opened() as stream:
            stream.cover(["AAPL", "MSFT"])
            hear(stream, covers("AAPL", "MSFT"))
            stream.cover(["AAPL", "MSFT", "SPY"])
            news = hear(stream, lambda told: type(told) is Refused)
            assert news == [Refused(405), Covered(frozenset({"AAPL", "MSFT"}))]

            stream.cover(["AAPL", "SPY", "QQQ"])  # there is room for one, and one is new
            assert covers("AAPL", "QQQ")(hear(stream, covers("AAPL", "QQQ"))[-1])

    def test_more_than_allowed_at_the_start_covers_at_least_half_of_what_is_allowed(self, sandbox):
        faults(sandbox, stall=True, symbol_limit=3)
        symbols = ["AAPL", "AMZN", "GOOGL", "META", "MSFT", "NVDA", "QQQ", "SPY", "TSLA"]
        with opened() as stream:
            stream.cover(symbols)
            news = hear(stream, covers("AAPL", "AMZN"))

        assert news[:2] == [Refused(405), Covered(frozenset())]

    def test_a_single_symbol_too_many_is_not_asked_for_again(self, sandbox):
        faults(sandbox, stall=True, symbol_limit=1)
        with opened() as stream:
            stream.cover(["AAPL"])
            hear(stream, covers("AAPL"))
            stream.cover(["AAPL", "SPY"])
            hear(stream, lambda told: type(told) is Refused)

            assert stream.read(timeout_seconds=0.2) == []

    def test_what_was_too_many_is_asked_for_as_others_make_room(self, sandbox):
        faults(sandbox, stall=True, symbol_limit=2)
        with opened() as stream:
            stream.cover(["AAPL", "MSFT"])
            hear(stream, covers("AAPL", "MSFT"))
            stream.cover(["AAPL", "MSFT", "QQQ", "SPY"])
            settle(stream)
            stream.cover(["AAPL", "QQQ", "SPY"])
            hear(stream, covers("AAPL", "QQQ"))
            stream.cover(["SPY"])
            hear(stream, covers("SPY"))

    def test_a_channel_that_we_may_not_have_is_given_up_and_costs_no_price(self, sandbox):
        faults(sandbox, refused_channels=["lulds"], tick_seconds=0.05)
        with opened(("trades", "lulds", "statuses")) as stream:
            stream.cover(["SPY"])
            news = hear(stream, lambda told: type(told) is Trade)
            stream.cover(["SPY", "AAPL"])
            later = hear(stream, covers("SPY", "AAPL"))
            later += hear(stream, lambda told: type(told) is Trade and told.symbol == "AAPL")

        assert [told for told in news if type(told) is Refused] == [Refused(410)]
        assert [told for told in later if type(told) is Refused] == []

    def test_a_list_longer_than_a_frame_arrives_whole(self, sandbox):
        faults(sandbox, stall=True)
        many = [f"X{number}" for number in range(10_000)]
        with opened() as stream:
            stream.cover(many)

            hear(stream, covers(*many))


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (402, VendorRejected),
            (409, VendorRejected),
            (404, VendorUnavailable),
            (406, VendorUnavailable),
            (500, VendorUnavailable),
        ],
    )
    def test_a_refused_key_says_why(self, sandbox, code, kind):
        faults(sandbox, refuse_auth=code)

        with pytest.raises(kind) as caught, opened():
            pass

        assert caught.value.vendor_code == str(code)

    def test_a_slow_client_is_told(self, sandbox):
        faults(sandbox, tick_seconds=0.001, queue_limit=0)
        with opened() as stream:
            stream.cover(["SPY"])
            _, error = hear_the_end(stream)

        assert error.vendor_code == "407"

    def test_a_garbled_message_ends_it_after_the_good_ones(self, sandbox):
        faults(sandbox, garble_every=3, tick_seconds=0.02)
        with opened() as stream:
            stream.cover(["SPY"])
            news, _ = hear_the_end(stream, match="not readable")

        assert [type(told) for told in news] == [Covered, Trade, Trade]

    def test_a_closed_connection_is_unavailable(self, sandbox):
        with opened() as stream:
            faults(sandbox, disconnect=True)

            hear_the_end(stream)

    def test_leaving_frees_the_place_at_once(self, sandbox):
        for _ in range(3):
            with opened():
                pass


class Said:
    """A connection over which everything has been said already."""

    def __init__(self, messages):
        self._messages = messages

    def send(self, data):
        pass

    def receive(self, *, timeout_seconds):
        messages, self._messages = self._messages, []
        return messages


short = st.lists(st.integers(0, 9), max_size=2)
odd = st.none() | st.integers(-9, 999) | st.text(max_size=3) | short
talk = st.fixed_dictionaries(
    {"T": st.sampled_from(["success", "error", "subscription"])},
    optional={
        "code": odd | st.sampled_from([400, 402, 404, 405, 407, 409, 410, 500]),
        "msg": odd | st.just("authenticated"),
        "trades": odd | st.lists(st.just("AAPL") | odd, max_size=2),
    },
)


@trying(max_examples=100)
@given(st.lists(st.lists(talk | odd, max_size=3).map(msgpack.packb) | st.binary(max_size=9)))
def test_whatever_is_said_only_errors_of_the_vendor_come_of_it(messages):
    stream = _OpenStream(Said(messages), ["trades", "quotes"])
    stream.cover(["AAPL"])
    with contextlib.suppress(VendorError):
        for _ in range(2):
            assert {type(told) for told in stream.read(timeout_seconds=0)} <= {Covered, Refused}
