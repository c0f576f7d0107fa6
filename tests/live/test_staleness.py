"""Nobody takes an old value for one of now, and nobody is left with the news that it is old."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core import realtime
from core.auth import SYSTEM, acting_as, api_keys
from market import frames
from market import selectors as market
from market.tests import factories as market_factories
from portfolio import consumers, selectors
from tests.live import factories
from tests.live.factories import signed_in
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db(transaction=True)


def frame_of(publisher, **changes):
    """Read what the leader published last, and make another frame of it."""
    found = frames.decode_snapshot(realtime.connection().hgetall(frames.SNAPSHOT_KEY))
    return frames.encode(replace(found, **changes))


def is_stale(message):
    return message["stale"]


def test_frames_of_an_earlier_leader_do_not_keep_values_live(
    port, account, token, publisher, settings
):
    settings.FEED_STALE_SECONDS = 1
    with publisher.alive(), signed_in(port, account.pk, token) as values:
        values.next(until=lambda message: not message["stale"])
    earlier = frame_of(publisher, is_full=False)
    leader = factories.Publisher(fence=2)
    leader.follow("AAPL", "101", close="99")
    with signed_in(port, account.pk, token) as values:
        leader.tick()
        told = values.next(until=lambda message: message["total_value"] == "$1303.00")
        deadline = time.monotonic() + 60
        while not told["stale"] and time.monotonic() < deadline:
            realtime.connection().publish(frames.CHANNEL, earlier)
            with suppress(TimeoutError):
                told = values.next(within=0.1, kind="update", until=is_stale)

    assert (told["stale"], told["total_value"]) == (True, "$1303.00")


def test_who_came_while_the_hub_began_anew_is_told_when_prices_are_fresh(
    port, account, token, publisher
):
    with signed_in(port, account.pk, token) as before:
        assert before.next()["stale"] is False
        (loop,) = [loop for loop in consumers._HUBS._made if loop.is_running()]
        loop.call_soon_threadsafe(consumers._HUBS._made[loop].reset)
        with signed_in(port, account.pk, token) as after:
            assert after.next()["stale"] is True
            with publisher.alive():
                told = [one.next(kind="update") for one in (before, after)]

    assert [(one["stale"], one["total_value"]) for one in told] == [(False, "$1300.00")] * 2


class TestFollowedNoLonger:
    @pytest.fixture
    def unfollowed(self, publisher):
        """Have nobody told of Apple any more, as of what nobody wants for a while."""
        desk = publisher.desk
        desk.wanted = frozenset({"AAPL"})

        def unfollow():
            desk.want({})
            desk.heard()
            publisher.tick()

        return unfollow

    def test_sockets_say_that_it_is_old_until_it_is_followed_again(
        self, port, account, token, publisher, unfollowed
    ):
        with signed_in(port, account.pk, token) as client:
            assert client.next()["stale"] is False
            unfollowed()
            assert flagged(client.next(kind="update")) == (True, "$1300.00")
            publisher.follow("AAPL", "101")
            publisher.tick()
            assert flagged(client.next(kind="update")) == (False, "$1303.00")

    def test_a_poll_asks_the_vendor(self, account, publisher, unfollowed, vendors):
        unfollowed()
        now = datetime.now(UTC)
        vendors.data.found["AAPL"] = market_factories.snapshot("AAPL", "77", at=now)

        value = selectors.get_value(
            principal=trading.customer(account.user_id), account_id=account.pk, at=now
        )

        assert (value.is_stale, value.record["total_value"]) == (False, "$1231.00")

    def test_what_a_later_leader_does_not_name_is_old(
        self, port, account, token, publisher, vendors
    ):
        with signed_in(port, account.pk, token) as client:
            assert client.next()["stale"] is False
            later = factories.Publisher(fence=2)
            later.follow("MSFT", "10")
            later.tick()
            assert flagged(client.next(kind="update")) == (True, "$1300.00")
            later.follow("AAPL", "102")
            later.tick()
            assert flagged(client.next(kind="update")) == (False, "$1306.00")


class TestOneFeedOfTwo:
    @pytest.fixture
    def token(self):
        """A key of a service that sees the accounts of all customers that it names."""
        return api_keys.create(label="a", scopes=["portfolio:read", "act_for"]).text

    @pytest.fixture
    def coin_account(self, account, vendors):
        coin = market_factories.asset("BTC/USD", asset_class="crypto", exchange="CRYPTO")
        vendors.broker.assets["BTC/USD"] = coin
        account = trading.new_account("coins-sub")
        trading.fund(account, cash="100.00", positions={"BTC/USD": "0.5"})
        return account

    @pytest.fixture
    def cash_account(self, account):
        account = trading.new_account("cash-sub")
        trading.fund(account, cash="50.00")
        return account

    @pytest.fixture
    def both(self, coin_account, publisher):
        """Somebody who publishes what two sockets tell."""
        publisher.follow("BTC/USD", "90000", close="88000")
        desk = publisher.desk
        desk.coins.is_in_use, desk.coins.wanted = True, frozenset({"BTC/USD"})
        desk.heard(desk.coins)
        publisher.tick()
        return publisher

    def test_a_silent_coin_socket_is_told_to_those_who_hold_coins(
        self, port, account, coin_account, token, both
    ):
        with (
            signed_in(port, account.pk, token) as shares,
            signed_in(port, coin_account.pk, token) as coins,
        ):
            assert [one.next()["stale"] for one in (shares, coins)] == [False, False]
            both.desk.coins.heard_at = float("-inf")
            both.trade("AAPL", "101")
            assert coins.next()["stale"] is True
            assert flagged(shares.next(kind="update")) == (False, "$1303.00")
            both.desk.heard(both.desk.coins)
            both.tick()
            assert flagged(coins.next(kind="update")) == (False, "$45100.00")
            with pytest.raises(TimeoutError):
                shares.next(within=0.3)

    def test_a_silent_share_socket_is_told_to_those_who_hold_shares(
        self, port, account, coin_account, token, both
    ):
        with (
            signed_in(port, account.pk, token) as shares,
            signed_in(port, coin_account.pk, token) as coins,
        ):
            assert [one.next()["stale"] for one in (shares, coins)] == [False, False]
            silence(both)
            assert shares.next(kind="update")["stale"] is True
            with pytest.raises(TimeoutError):
                coins.next(within=0.3)

    def test_a_snapshot_and_positions_say_which_price_it_is(self, port, coin_account, token, both):
        with acting_as(SYSTEM):
            factories.buy(coin_account, "AAPL", "2", "100")
        silence(both)
        with signed_in(port, coin_account.pk, token, said={"detail": "positions"}) as mixed:
            first = mixed.next(kind="snapshot")
            both.desk.heard()
            both.tick()
            update = mixed.next(kind="update")

        assert first["stale"] is True
        assert flags_of(first) == {"AAPL": ["stale"], "BTC/USD": []}
        assert update["stale"] is False
        assert flags_of(update) == {"AAPL": []}

    def test_of_several_accounts_those_and_the_sum_are_stale(
        self, port, account, coin_account, token, both
    ):
        named = {"accounts": [str(account.pk), str(coin_account.pk)]}
        with signed_in(port, "", token, said=named) as client:
            assert client.next(kind="aggregate")["stale"] is False
            silence(both)
            told = [client.next(), client.next()]

        assert [(one["type"], one["account_id"], one["stale"]) for one in told] == [
            ("update", str(account.pk), True),
            ("aggregate", None, True),
        ]

    def test_a_poll_says_the_same(self, account, coin_account, cash_account, both):
        silence(both)
        assert polled(account, coin_account, cash_account) == [True, False, False]

        both.desk.coins.heard_at = float("-inf")
        both.tick()
        assert polled(account, coin_account, cash_account) == [True, True, False]

    def test_cash_alone_is_never_old(self, port, account, cash_account, token, both):
        both.desk.coins.heard_at = float("-inf")
        silence(both)
        with (
            signed_in(port, account.pk, token) as shares,
            signed_in(port, cash_account.pk, token) as cash,
        ):
            told = [one.next(kind="snapshot")["stale"] for one in (shares, cash)]

        assert told == [True, False]

    def test_cash_is_old_while_no_frames_come_and_no_longer(
        self, port, cash_account, token, both, settings
    ):
        both.desk.coins.heard_at = float("-inf")
        silence(both)
        with signed_in(port, cash_account.pk, token) as cash:
            assert cash.next(kind="snapshot")["stale"] is False
            settings.FEED_STALE_SECONDS = frames.SILENCE_SECONDS  # a sign of life is due by then
            assert cash.next(kind="update")["stale"] is True
            settings.FEED_STALE_SECONDS = 600
            both.tick()
            assert cash.next(kind="update")["stale"] is False

    def test_a_stale_price_is_not_taken_for_an_orders_quote(self, vendors, both):
        silence(both)
        now = datetime.now(UTC)
        vendors.data.found["AAPL"] = market_factories.snapshot("AAPL", "77", at=now)

        assert market.get_quote(symbol="AAPL", at=now).last == Decimal(77)
        assert market.get_quote(symbol="BTC/USD", at=now).last == Decimal(90_000)


def silence(publisher):
    """Let nothing have been heard of shares for long."""
    publisher.desk.stocks.heard_at = float("-inf")
    publisher.tick()


def flagged(message):
    return message["stale"], message["total_value"]


def flags_of(message):
    return {position["symbol"]: position["flags"] for position in message["positions"]}


def polled(*accounts):
    values = [
        selectors.get_value(
            principal=trading.customer(account.user_id), account_id=account.pk, at=datetime.now(UTC)
        )
        for account in accounts
    ]
    assert [value.is_stale for value in values] == [value.record["stale"] for value in values]
    return [value.is_stale for value in values]
