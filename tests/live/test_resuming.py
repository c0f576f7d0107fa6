"""Coming back to an account's live value, and hearing of its positions."""

import socket
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core import realtime
from market.tests import factories as market
from tests.live.factories import client as opened
from tests.live.factories import signed_in
from trading.tests import day_records
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db(transaction=True)
DETAIL = {"detail": "positions"}
QUIET_SECONDS = 0.7  # longer than an account takes to be read anew


def place(message):
    """Write down what a client keeps of a message, to come back with."""
    return {name: message[name] for name in ("epoch", "seq", "revision")}


def first(port, account, token, **said):
    """Open a socket, and tell how it begins."""
    with signed_in(port, account.pk, token, said=said) as client:
        return client.next()


def symbols(message):
    return [position["symbol"] for position in message["positions"]]


class TestResuming:
    def test_a_client_that_has_all_but_the_value_is_told_the_value(
        self, port, account, token, publisher
    ):
        left = place(first(port, account, token))
        publisher.trade("AAPL", 101)
        with signed_in(port, account.pk, token, said={"resume": left}) as client:
            back = client.next()
            publisher.trade("AAPL", 102)
            update = client.next()

        assert (back["type"], back["total_value"], back["seq"]) == ("resumed", "$1303.00", 2)
        assert back.keys() == update.keys()
        assert (update["type"], update["total_value"]) == ("update", "$1306.00")

    def test_whatever_does_not_fit_begins_anew(self, port, account, token, publisher):
        left = place(first(port, account, token))
        wrong = [
            left | {"epoch": "1.5"},
            left | {"seq": left["seq"] + 1},
            left | {"seq": "1"},
            left | {"seq": True},
            left | {"revision": "0123456789abcdef"},
            {"epoch": left["epoch"], "seq": 1},
            [],
            "x",
        ]

        told = [first(port, account, token, resume=one)["type"] for one in wrong]

        assert told == ["snapshot"] * len(wrong)
        assert first(port, account, token, resume=left)["type"] == "resumed"

    def test_who_comes_back_after_a_fill_is_told_of_it(self, port, account, token, publisher):
        left = place(first(port, account, token))
        trading.fund(account, cash="800.00", positions={"MSFT": "1"})

        back = first(port, account, token, resume=left)

        assert (back["type"], symbols(back)) == ("snapshot", ["AAPL", "MSFT"])
        assert back["revision"] != left["revision"]

    def test_a_fill_after_coming_back_brings_a_snapshot(self, port, account, token, publisher):
        left = place(first(port, account, token))
        with signed_in(port, account.pk, token, said={"resume": left}) as client:
            assert client.next()["type"] == "resumed"
            realtime.account_changed(str(account.pk))
            with pytest.raises(TimeoutError):
                client.next(within=QUIET_SECONDS)
            trading.fund(account, cash="400.00", positions={"MSFT": "2"})
            realtime.account_changed(str(account.pk))
            again = client.next()

        assert (again["type"], symbols(again)) == ("snapshot", ["AAPL", "MSFT"])
        assert again["revision"] != left["revision"]


class TestReadingAnew:
    """An account is read again because of any news of it, and often nothing of it is new."""

    @pytest.mark.parametrize("said", [{}, DETAIL])
    def test_nobody_hears_of_what_is_the_same(self, port, account, token, publisher, said):
        with signed_in(port, account.pk, token, said=said) as client:
            client.next()
            realtime.account_changed(str(account.pk))
            with pytest.raises(TimeoutError):
                client.next(within=QUIET_SECONDS)
            publisher.trade("AAPL", 101)
            update = client.next()

        assert (update["type"], update["total_value"]) == ("update", "$1303.00")

    @pytest.mark.parametrize("said", [{}, DETAIL])
    def test_what_is_held_still_brings_an_update_when_todays_return_is_another(
        self, port, account, token, publisher, said
    ):
        with signed_in(port, account.pk, token, said=said) as client:
            begin = client.next()
            now = datetime.now(UTC)
            day_records.fill(account, Decimal(1), Decimal(90), at=now)
            day_records.fill(account, Decimal(-1), Decimal(95), at=now)
            realtime.account_changed(str(account.pk))
            update = client.next()
            back = first(port, account, token, resume=place(begin))

        assert (update["type"], update["raw_value"]) == ("update", begin["raw_value"])
        assert update["raw_return"] == begin["raw_return"] + 5
        assert (back["type"], back["raw_return"]) == ("resumed", update["raw_return"])

    def test_each_socket_is_told_by_what_it_was_told_last(self, port, account, token, publisher):
        with signed_in(port, account.pk, token) as early:
            early.next()
            trading.fund(account, cash="900.00")  # whose notice comes later
            with signed_in(port, account.pk, token) as late:
                stale = late.next()
                realtime.account_changed(str(account.pk))
                told = early.next(), late.next()
                realtime.account_changed(str(account.pk))
                for client in (early, late):
                    with pytest.raises(TimeoutError):
                        client.next(within=QUIET_SECONDS)

        assert stale["cash"] == "1000.00"
        assert [(one["type"], one["cash"]) for one in told] == [("snapshot", "900.00")] * 2

    def test_what_became_an_instrument_is_shown_with_its_price(
        self, port, account, token, publisher, vendors
    ):
        trading.fund(account, positions={"NEW": "2"})
        with signed_in(port, account.pk, token) as client:
            before = client.next()
            vendors.broker.assets["NEW"] = market.asset("NEW")
            publisher.follow("NEW", "10", close="9")
            publisher.tick()
            realtime.account_changed(str(account.pk))
            after = client.next(until=lambda message: not message["unpriced"])

        assert (before["unpriced"], after["revision"]) == (["NEW"], before["revision"])
        assert (after["type"], after["positions"][1]["market_value"]) == ("snapshot", "20.00")


class TestPositions:
    def test_only_those_that_moved_are_told(self, port, account, token, publisher):
        trading.fund(account, positions={"MSFT": "2"})
        publisher.follow("MSFT", "300", close="290")
        publisher.tick()
        with (
            signed_in(port, account.pk, token, said=DETAIL) as client,
            signed_in(port, account.pk, token) as plain,
        ):
            begin = client.next()
            plain.next()
            publisher.trade("MSFT", 301)
            moved, value = client.next(), plain.next()
            publisher.trade("AAPL", 101)
            other = client.next()

        assert (begin["type"], symbols(begin)) == ("snapshot", ["AAPL", "MSFT"])
        (microsoft,) = moved.pop("positions")
        assert microsoft.keys() == begin["positions"][1].keys()
        assert (microsoft["symbol"], microsoft["price"]) == ("MSFT", "301.00")
        assert moved | {"timestamp": ""} == value | {"timestamp": ""}
        assert symbols(other) == ["AAPL"]

    def test_one_that_is_halted_is_told_though_the_value_is_the_same(
        self, port, account, token, publisher
    ):
        with signed_in(port, account.pk, token, said=DETAIL) as client:
            client.next()
            with publisher.desk.lock:
                publisher.desk.book.note_halt("AAPL", is_halted=True)
            publisher.tick()
            halted = client.next()

        assert (halted["type"], halted["positions"][0]["flags"]) == ("update", ["halted"])
        assert halted["total_value"] == "$1300.00"

    def test_who_comes_back_is_told_all_of_them(self, port, account, token, publisher):
        trading.fund(account, positions={"MSFT": "2"})
        left = place(first(port, account, token))
        query = f"?token={token}&detail=positions"
        with signed_in(port, account.pk, token, said={"resume": left, **DETAIL}) as client:
            back = client.next()
        with opened(port, account.pk, query=query) as client:
            client.next(kind="snapshot")
            publisher.trade("AAPL", 101)
            update = client.next(kind="update")

        assert (back["type"], symbols(back)) == ("resumed", ["AAPL", "MSFT"])
        assert symbols(update) == ["AAPL"]

    def test_another_detail_is_refused(self, port, account, token, publisher):
        with signed_in(port, account.pk, token, said={"detail": "orders"}) as client:
            assert client.close_code() == 4400


@pytest.mark.usefixtures("cramped")
def test_who_was_behind_is_told_all_that_moved_meanwhile(port, account, token, publisher, settings):
    settings.SOCKET_SLOW_SECONDS = 100
    trading.fund(account, positions={"MSFT": "2"})
    publisher.follow("MSFT", "300", close="290")
    publisher.tick()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.connect(("127.0.0.1", port))
    with (
        signed_in(port, account.pk, token, said=DETAIL, max_queue=1, sock=raw) as slow,
        signed_in(port, account.pk, token) as good,
    ):
        slow.next()
        good.next()
        seen = {}
        for turn in range(400):
            publisher.trade(("AAPL", "MSFT")[turn % 2], 300 + turn)
            good.next(kind="update")
        told = 0
        deadline = time.monotonic() + 60
        while seen.get("total") != Decimal(1000) + 3 * 698 + 2 * 699:
            message = slow.next(within=deadline - time.monotonic())
            told += 1
            seen |= {p["symbol"]: p["price"] for p in message["positions"]}
            seen["total"] = message["raw_value"]

    assert (seen["AAPL"], seen["MSFT"]) == ("698.00", "699.00")
    assert told < 400
