"""The socket, over a real server, with the real PostgreSQL and Redis."""

import itertools
import json
import statistics
import time
from decimal import Decimal

import pytest

from core import realtime
from core.tests.promises import promised
from market import selectors as market
from tests.live.factories import Publisher, buy, client, deaf_client, is_cut, signed_in
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db(transaction=True)


class TestFirstMessage:
    def test_is_a_snapshot_with_the_originals_fields_and_ours(
        self, port, account, token, publisher
    ):
        with signed_in(port, account.pk, token) as socket:
            message = socket.next()

        assert message.pop("timestamp") >= message.pop("as_of")
        assert message.pop("positions")[0].keys() == {
            "symbol",
            "quantity",
            "average_entry_price",
            "price",
            "previous_close",
            "market_value",
            "as_of",
            "flags",
        }
        assert len(message.pop("revision").split(".")[0]) == 16
        assert message.pop("epoch").startswith("1.")
        assert message == {
            "type": "snapshot",
            "account_id": str(account.pk),
            "total_value": "$1300.00",
            "today_return": "+$3.00 (0.23%)",
            "raw_value": Decimal("1300.00"),
            "raw_return": Decimal("3.00"),
            "raw_return_percent": Decimal("0.23"),
            "seq": 1,
            "stale": False,
            "currency": "USD",
            "unpriced": [],
            "cash": "1000.00",
            "pending_deposits": "0.00",
            "pending_withdrawals": "0.00",
        }

    def test_names_the_account_as_the_client_did(self, port, account, token, publisher):
        with signed_in(port, account.broker_account_id, token) as socket:
            assert socket.next()["account_id"] == account.broker_account_id

    def test_says_what_has_no_price_and_leaves_it_out(self, port, account, token, publisher):
        trading.fund(account, positions={"MSFT": "1"})
        with signed_in(port, account.pk, token) as socket:
            message = socket.next()

        assert (message["total_value"], message["unpriced"]) == ("$1300.00", ["MSFT"])
        assert message["positions"][1]["market_value"] is None

    def test_comes_without_prices_too_and_says_so(self, port, account, token):
        with signed_in(port, account.pk, token) as socket:
            message = socket.next()

        assert message["stale"] is True
        assert (message["total_value"], message["unpriced"]) == ("$1000.00", ["AAPL"])
        assert message["as_of"] is None

    def test_invents_nothing_for_an_account_that_was_never_read(self, port, vendors, token):
        account = trading.new_account()
        with signed_in(port, account.pk, token) as socket:
            message = socket.next()

        assert [message[k] for k in ("total_value", "today_return", "raw_value", "cash")] == [
            None
        ] * 4

    def test_has_its_prices_followed_from_then_on(self, port, account, token, publisher):
        with signed_in(port, account.pk, token) as socket:
            socket.next()
            deadline = time.monotonic() + 60
            while not market.list_wanted(at=publisher.desk.clock()):
                assert time.monotonic() < deadline
                time.sleep(0.01)

        assert market.list_wanted(at=publisher.desk.clock()) == {"AAPL"}


class TestUpdates:
    def test_a_tick_reaches_the_socket_within_a_quarter_of_a_second(
        self, port, account, token, publisher
    ):
        with publisher.alive(), signed_in(port, account.pk, token) as socket:
            socket.next(kind="snapshot")
            took = []
            for cents in range(1, 11):
                started = time.monotonic()
                publisher.trade("AAPL", 100 + cents)
                message = socket.next(kind="update")
                took.append(time.monotonic() - started)
                assert message["total_value"] == f"${1300 + 3 * cents}.00"
                assert message["raw_return"] == 3 + 3 * cents

        assert statistics.median(took) <= 0.25  # what a busy machine delays is the exception

    def test_nothing_is_sent_while_nothing_changes(self, port, account, token, publisher):
        with publisher.alive(), signed_in(port, account.pk, token) as socket:
            socket.next(kind="snapshot")
            with pytest.raises(TimeoutError):
                socket.next(within=1.5)

    def test_a_fill_brings_a_new_snapshot_within_a_second(self, port, account, token, publisher):
        with publisher.alive(), signed_in(port, account.pk, token) as socket:
            socket.next(kind="snapshot")
            publisher.follow("MSFT", "300", close="290")
            took = []
            for cash, bought in (("402.00", {"MSFT": "2"}), ("401.00", None), ("400.00", None)):
                trading.fund(account, cash=cash, positions=bought)
                started = time.monotonic()
                realtime.account_changed(str(account.pk))
                message = socket.next(kind="snapshot", until=lambda m, cash=cash: m["cash"] == cash)
                took.append(time.monotonic() - started)
            final = (
                socket.next(kind="update", until=lambda m: not m["unpriced"])
                if message["unpriced"]
                else message
            )

        assert min(took) <= 1  # what a busy machine delays is the exception
        assert [p["symbol"] for p in message["positions"]] == ["AAPL", "MSFT"]
        assert final["total_value"] == "$1300.00"
        assert final["today_return"] == "+$23.00 (1.80%)"

    def test_what_was_bought_today_counts_from_its_own_price(self, port, account, token, publisher):
        buy(account, "AAPL", "1", "98")
        with signed_in(port, account.pk, token) as socket:
            message = socket.next(kind="snapshot")

        # three shares gained 1 each since the close, and the one bought today gained 2
        assert message["raw_return"] == Decimal("5.00")

    def test_a_new_publisher_is_followed_without_a_gap(self, port, account, token, publisher):
        with signed_in(port, account.pk, token) as socket:
            socket.next(kind="snapshot")
            second = Publisher(fence=2)
            second.follow("AAPL", "200", close="99")
            second.tick()
            message = socket.next(kind="update")
            second.trade("AAPL", 201)
            later = socket.next(kind="update")

        assert (message["total_value"], message["epoch"][:2]) == ("$1600.00", "2.")
        assert (later["total_value"], later["seq"]) == ("$1603.00", 2)

    def test_two_sockets_of_one_account_hear_the_same(self, port, account, token, publisher):
        with (
            signed_in(port, account.pk, token) as one,
            signed_in(port, account.broker_account_id, token) as two,
        ):
            one.next(kind="snapshot")
            two.next(kind="snapshot")
            publisher.trade("AAPL", 101)
            first, second = one.next(kind="update"), two.next(kind="update")

        assert first | {"account_id": ""} == second | {"account_id": ""}


class TestStaleness:
    def test_a_silent_publisher_makes_values_stale(self, port, account, token, publisher, settings):
        settings.FEED_STALE_SECONDS = 0.5
        with signed_in(port, account.pk, token) as socket:
            with publisher.alive():
                socket.next(until=lambda m: not m["stale"])
            stale = socket.next(kind="update", until=lambda m: m["stale"])
            publisher.trade("AAPL", 101)
            again = socket.next(kind="update", until=lambda m: not m["stale"])

        assert [one["total_value"] for one in (stale, again)] == ["$1300.00", "$1303.00"]

    def test_a_feed_that_the_publisher_calls_stale_is_stale(self, port, account, token, publisher):
        with signed_in(port, account.pk, token) as socket:
            socket.next(kind="snapshot")
            publisher.desk.stocks.heard_at = float("-inf")
            publisher.tick()
            assert socket.next(kind="update")["stale"] is True
            publisher.desk.heard()
            publisher.tick()
            assert socket.next(kind="update")["stale"] is False

    @pytest.mark.promise
    def test_a_restarted_redis_is_told_and_values_come_back(
        self, restartable_redis, port, account, token, publisher
    ):
        with publisher.alive(), signed_in(port, account.pk, token) as socket:
            socket.next(kind="snapshot", until=lambda m: not m["stale"])

            restartable_redis.kill()
            assert socket.next(kind="update")["stale"] is True
            trading.fund(account, cash="2000.00")  # whose notice is lost

            restartable_redis.start()
            back = socket.next(
                within=promised(5),
                until=lambda m: not m["stale"] and m["total_value"] == "$2300.00",
            )

        assert back["today_return"] == "+$3.00 (0.13%)"


class TestConversation:
    def test_heartbeats_are_answered(self, port, account, token, publisher):
        with signed_in(port, account.pk, token) as socket:
            socket.next()
            socket.send(type="heartbeat", timestamp=1_700_000_000_000)
            answer = socket.next(kind="heartbeat_ack")

        assert abs(float(answer["timestamp"]) - time.time()) < 30

    def test_the_server_beats_too(self, port, account, token, publisher, settings):
        settings.HEARTBEAT_INTERVAL = 0.3
        with signed_in(port, account.pk, token) as socket:
            socket.next()
            beats = [socket.next(kind="heartbeat") for _ in range(2)]

        assert all(beat["epoch"].startswith("1.") for beat in beats)

    @pytest.mark.parametrize("frame", ["{", "[]", '"x"', '{"type":"subscribe"}', b"{}"])
    def test_what_means_nothing_here_ends_it(self, port, account, token, publisher, frame):
        with signed_in(port, account.pk, token) as socket:
            socket.next()
            socket.connection.send(frame)
            assert socket.close_code() == 4400

    def test_a_frame_that_is_too_large_ends_it(self, port, account, token, publisher):
        with signed_in(port, account.pk, token) as socket:
            socket.next()
            socket.connection.send(json.dumps({"type": "heartbeat", "x": "y" * 70_000}))
            assert socket.close_code() == 1009

    def test_it_ends_when_the_token_runs_out(self, port, account, issuer, publisher):
        now = int(time.time())
        short = issuer.token(sub=account.user_id, iat=now - 10, exp=now + 7)
        with (
            signed_in(port, account.pk, short) as socket,
            client(port, account.pk, query=f"?token={short}") as original,
        ):
            assert socket.next()["type"] == "snapshot"
            assert socket.close_code() == 4401
            assert original.close_code() == 4001

    def test_a_quiet_socket_on_a_quiet_redis_stays_open(
        self, port, account, token, publisher, settings
    ):
        settings.FEED_STALE_SECONDS = 5  # from then on Redis is asked whether it lives
        with signed_in(port, account.pk, token) as socket:
            socket.next()
            with pytest.raises(TimeoutError):
                socket.next(within=7, until=lambda m: m["type"] != "update")
            socket.send(type="heartbeat", timestamp=1)
            assert socket.next(kind="heartbeat_ack")["type"] == "heartbeat_ack"

    @pytest.mark.proof
    def test_a_quiet_socket_stays_open_for_a_minute(
        self, port, account, token, publisher, settings
    ):
        settings.FEED_STALE_SECONDS = 5
        with signed_in(port, account.pk, token) as socket:
            socket.next()
            with pytest.raises(TimeoutError):
                socket.next(within=60, until=lambda m: m["type"] not in {"update", "heartbeat"})
            publisher.trade("AAPL", 101)
            assert socket.next(kind="update", until=lambda m: not m["stale"])


class TestSlowReaders:
    def test_one_that_stops_reading_is_ended_and_the_others_hear_everything(
        self, impatient, port, account, token, publisher
    ):
        with (
            publisher.alive(),
            deaf_client(port, account.pk, token) as deaf,
            signed_in(port, account.pk, token) as good,
        ):
            good.next(kind="snapshot")
            started = time.monotonic()
            prices = itertools.cycle(range(101, 190))
            heard = 0
            while not is_cut(deaf) and time.monotonic() - started < 60:
                price = next(prices)
                publisher.trade("AAPL", price)
                message = good.next(kind="update")
                assert message["raw_value"] == 1000 + 3 * price
                heard += 1

            assert is_cut(deaf)
            assert time.monotonic() - started > 1
            assert heard > 10
