"""What the leader asks for by REST: the beginning, the gaps, and what the socket does not send."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.errors import VendorRejected, VendorUnavailable
from core.streams import Stop
from market.asking import Asker, BrokerAsker
from market.desk import Desk
from market.facts import Covered, Refused
from market.tests.factories import asset, snapshot
from market.tests.leading import Listener, eventually, leading, want

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_prices")]


def following(*symbols):
    """A desk that follows these, as the collector has it."""
    desk = Desk()
    desk.want({symbol: number for number, symbol in enumerate(symbols)})
    return desk


def batches(vendors):
    return [symbols for symbols, _ in vendors.data.asked]


def test_what_was_missed_while_the_socket_was_away_is_asked_for_at_once(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        assert eventually(lambda: len(vendors.stream.covered) == 1)
        assert eventually(lambda: not heard.read(seconds=0.3) or True)
        vendors.data.found["AAPL"] = snapshot("AAPL", "104", at=datetime.now(UTC))
        vendors.stream.news.put(None)
        assert eventually(lambda: vendors.stream.opened == 2)
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(104), within=3.0)


def test_a_name_that_the_broker_refuses_does_not_hide_a_new_one(vendors):
    asked = []

    def find_asset(symbol):
        asked.append(symbol)
        if symbol == "BAD":
            raise VendorRejected("broker", "No such form of a name.", http_status=422)
        return asset(symbol)

    vendors.broker.find_asset = find_asset
    desk = Desk()
    desk.unknown = frozenset({"BAD", "NEW"})
    asker = BrokerAsker(desk)
    for _ in range(3):
        asker.round()

    assert desk.found_count
    assert asked.count("BAD") == 1


def test_what_the_socket_does_not_send_is_asked_for(vendors, monkeypatch):
    monkeypatch.setattr("market.asking._ASK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(vendors.stream, "cover", lambda symbols: None)
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        vendors.stream.news.put([Refused(405)])
        vendors.stream.news.put([Covered(frozenset({"SPY"}))])
        vendors.data.found["AAPL"] = snapshot("AAPL", "103", at=datetime.now(UTC))

        assert eventually(lambda: heard.price_of("AAPL") == Decimal(103))


def test_prices_move_by_asking_while_there_is_no_socket(vendors, monkeypatch):
    monkeypatch.setattr("market.asking._ASK_AGAIN_SECONDS", 0.2)
    vendors.stream.open_error = VendorUnavailable("stream", "Crowded.", vendor_code="406")
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        vendors.data.found["AAPL"] = snapshot("AAPL", "103", at=datetime.now(UTC))
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(103))

    assert heard.frames[-1].is_stale


class TestAsker:
    def test_a_hundred_at_a_time_and_each_once(self, vendors):
        desk = following(*(f"T{n:03}" for n in range(250)))

        Asker(desk).round(Stop())

        assert [len(batch) for batch in batches(vendors)] == [100, 100, 50]
        assert {symbol for batch in batches(vendors) for symbol in batch} == desk.wanted
        assert desk.is_ready.is_set()

    def test_what_is_new_comes_before_what_was_missed(self, vendors):
        desk = following("AAPL", "MSFT")
        asker = Asker(desk)
        asker.round(Stop())
        desk.missed = frozenset({"AAPL", "MSFT"})
        desk.want({"AAPL": 0, "MSFT": 1, "SPY": 2})
        asker.round(Stop())

        assert batches(vendors) == [("AAPL", "MSFT"), ("SPY", "AAPL", "MSFT")]
        assert desk.missed == frozenset()

    def test_a_failure_loses_nothing_that_is_owed(self, vendors):
        now = [0.0]
        desk = following("AAPL")
        desk.monotonic = lambda: now[0]
        asker = Asker(desk)
        asker.round(Stop())
        desk.missed = desk.corrected = frozenset({"AAPL"})
        vendors.data.error = VendorUnavailable("data", "Away.")
        asker.round(Stop())
        asker.round(Stop())
        assert len(vendors.data.asked) == 2
        assert (desk.missed, desk.corrected) == ({"AAPL"}, {"AAPL"})

        vendors.data.error = None
        now[0] = 1.0
        asker.round(Stop())
        assert len(vendors.data.asked) == 3
        assert (desk.missed, desk.corrected) == (frozenset(), frozenset())

    def test_halted_and_doubted_symbols_are_asked_about_again_and_again(self, vendors):
        now = [0.0]
        desk = following("AAPL", "MSFT")
        desk.monotonic = lambda: now[0]
        desk.stocks.covered = desk.wanted
        asker = Asker(desk)
        asker.round(Stop())
        desk.book.note_halt("MSFT", is_halted=True, now_ns=desk.vendor_now_ns())
        for seconds in (4.0, 6.0, 7.0, 12.0):
            now[0] = seconds
            asker.round(Stop())

        assert batches(vendors) == [("AAPL", "MSFT"), ("MSFT",), ("MSFT",)]

    def test_a_close_that_was_not_told_is_asked_for_until_it_is(self, vendors):
        now = [0.0]
        desk = following("AAPL", "MSFT")
        desk.monotonic = lambda: now[0]
        desk.stocks.covered = desk.wanted
        lost = vendors.data.found.pop("MSFT")
        asker = Asker(desk)
        asker.round(Stop())
        now[0] = 5.0
        asker.round(Stop())
        vendors.data.found["MSFT"] = lost
        for seconds in (10.0, 15.0, 20.0):
            now[0] = seconds
            asker.round(Stop())

        assert batches(vendors) == [("AAPL", "MSFT"), ("MSFT",), ("MSFT",)]

    def test_of_many_that_the_socket_does_not_send_each_has_its_turn(self, vendors, monkeypatch):
        monkeypatch.setattr("market.asking._MOST_AGAIN", 2)
        now = [0.0]
        desk = following("AAPL", "MSFT", "SPY")
        desk.monotonic = lambda: now[0]
        asker = Asker(desk)
        for seconds in (0.0, 6.0, 12.0):
            now[0] = seconds
            asker.round(Stop())

        assert batches(vendors)[1:] == [("AAPL", "MSFT"), ("AAPL", "SPY")]
