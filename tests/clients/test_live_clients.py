"""Both clients against real servers: what a person would see on the screen, and when."""

import asyncio
import signal
import time
from decimal import Decimal
from itertools import cycle, pairwise

import pytest
from clera_live import LiveClient, Timing

from core.auth import SYSTEM, acting_as
from core.ids import new_id
from core.realtime import account_changed
from tests.clients import factories
from tests.clients.factories import both, following, order_of, read
from tests.live.factories import OWNER, buy
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db(transaction=True)
STRANGER = "mallory"


def is_worth(amount):
    return lambda value: value["raw_value"] == Decimal(amount) and not value["stale"]


def is_stale(value):
    return value["stale"]


def is_of(account_id):
    return lambda value: value["account_id"] == account_id


def never_went_back(values):
    orders = [order_of(value) for value in values]
    return orders == sorted(orders)


@pytest.fixture
def account_id(account):
    return str(account.pk)


class TestFollowing:
    def test_shows_what_the_account_is_worth_and_each_change(
        self, language, url, account_id, token_file, publisher
    ):
        with following(language, url, token_file, account=account_id) as follower:
            first = follower.wait_for("value", is_worth("1300.00"))
            publisher.trade("AAPL", "101.50")
            second = follower.wait_for("value", is_worth("1304.50"))

        assert (first["account_id"], second["total_value"]) == (account_id, "$1304.50")
        assert [each["symbol"] for each in first["positions"]] == ["AAPL"]
        assert order_of(second) > order_of(first)
        assert follower.states == ["connecting", "live", "stopped"]

    def test_a_purchase_replaces_the_positions(
        self, url, account, account_id, token_file, publisher
    ):
        with both(url, token_file, account=account_id) as followers:
            for follower in followers:
                follower.wait_for("value", is_worth("1300.00"))
            buy(account, "AAPL", "2", "100")
            account_changed(account_id)
            for follower in followers:
                follower.wait_for("value", lambda v: v["positions"][0]["quantity"] == "5")

    def test_what_is_said_after_a_stop_is_nothing(
        self, language, url, account_id, token_file, publisher
    ):
        with following(language, url, token_file, account=account_id) as follower:
            follower.wait_for("value")
        publisher.trade("AAPL", "105")

        assert follower.states[-1] == "stopped"
        assert len(follower.values) == 1


class TestRefusal:
    def test_somebody_elses_account_is_not_asked_for_twice(
        self, url, account_id, token_file, issuer
    ):
        token_file.write_text(issuer.token(sub=STRANGER))
        with both(url, token_file, account=account_id) as followers:
            for follower in followers:
                follower.wait_for("state", lambda state: state == "refused")
        for follower in followers:
            assert follower.states == ["connecting", "refused"]
            assert follower.codes()[-1] == 4404
            assert (len(follower.all("token")), follower.values) == (1, [])

    def test_two_fresh_tokens_that_open_nothing_are_enough(self, url, account_id, token_file):
        token_file.write_text("nonsense")
        with both(url, token_file, account=account_id) as followers:
            for follower in followers:
                follower.wait_for("state", lambda state: state == "refused")
        for follower in followers:
            assert (follower.codes()[-1], len(follower.all("token"))) == (4401, 2)


class TestCredential:
    @pytest.fixture
    def passing(self, token_file, issuer):
        """When the token that the clients begin with runs out, and one that lives on."""
        now = int(time.time())
        token_file.write_text(issuer.token(sub=OWNER, iat=now - 10, exp=now + 10))
        return now + 10 - time.time() + time.monotonic(), issuer.token(sub=OWNER)

    @pytest.fixture
    def no_notice(self, settings):
        settings.SOCKET_EXPIRY_NOTICE_SECONDS = 0

    def test_is_renewed_in_place(self, network, account_id, token_file, publisher, passing):
        ends, fresh = passing
        with both(network.url, token_file, account=account_id) as followers:
            for follower in followers:
                follower.wait_for("value")
            token_file.write_text(fresh)
            time.sleep(max(0, ends + 0.2 - time.monotonic()))
            publisher.trade("AAPL", "103")
            for follower in followers:
                follower.wait_for("value", is_worth("1309.00"))
                assert follower.states == ["connecting", "live"]

        assert network.sockets == 2

    @pytest.mark.usefixtures("no_notice")
    def test_that_ran_out_is_replaced_by_a_fresh_one(
        self, network, account_id, token_file, publisher, passing
    ):
        ends, fresh = passing
        with both(network.url, token_file, account=account_id) as followers:
            for follower in followers:
                follower.wait_for("value")
            token_file.write_text(fresh)
            time.sleep(max(0, ends - time.monotonic()))
            publisher.trade("AAPL", "103")
            for follower in followers:
                follower.wait_for("value", is_worth("1309.00"), after=ends)
                assert "refused" not in follower.states

        assert network.sockets == 4


@pytest.mark.usefixtures("publisher")
class TestSeveral:
    @pytest.fixture
    def ids(self, account, account_id):
        """An account that was closed with its 1,300 dollars, and one with 500."""
        with acting_as(SYSTEM):
            type(account).objects.update(vendor_status="ACCOUNT_CLOSED")
        other = trading.new_account(OWNER)
        trading.fund(other, cash="500.00")
        return [account_id, str(other.pk)]

    def test_those_named_are_followed_and_added_up(self, url, ids, token_file, publisher):
        with both(url, token_file, accounts=ids, positions=True) as followers:
            for follower in followers:
                together = follower.wait_for("aggregate", is_worth("1800.00"))
                assert (together["account_id"], together["accounts"]) == (None, 2)
            publisher.trade("AAPL", "101")
            for follower in followers:
                moved = follower.wait_for("value", is_worth("1303.00"))
                assert (moved["account_id"], moved["positions"][0]["price"]) == (ids[0], "101.00")
                follower.wait_for("aggregate", is_worth("1803.00"))

    def test_accounts_come_and_go(self, url, ids, token_file):
        unknown = str(new_id())
        with both(url, token_file, accounts=ids[1:]) as followers:
            for follower in followers:
                follower.wait_for("aggregate", is_worth("500.00"))
                follower.order("subscribe", [ids[0], unknown])
                follower.wait_for("aggregate", is_worth("1800.00"))
                problem = follower.wait_for("problem")
                assert (problem["error"], problem["account_id"]) == ("not_found", unknown)
                left = time.monotonic()
                follower.order("unsubscribe", ids[1:])
                follower.wait_for("aggregate", is_worth("1300.00"), after=left)

    def test_without_sockets_each_is_polled_and_their_sum_is_stale(self, network, ids, token_file):
        timing = {"first_pause": 0.05, "longest_pause": 0.3, "poll": 0.2}
        with both(network.url, token_file, accounts=ids, timing=timing) as followers:
            for follower in followers:
                follower.wait_for("aggregate", is_worth("1800.00"))
            network.refuses_sockets = True
            network.cut()
            cut = time.monotonic()
            for follower in followers:
                follower.wait_for("aggregate", is_stale, after=cut)
                polled = [is_of(each) for each in ids]
                assert all(follower.wait_for("value", fits, after=cut) for fits in polled)
                assert follower.states[-1] == "polling"
            network.refuses_sockets = False
            back = time.monotonic()
            for follower in followers:
                follower.wait_for("aggregate", is_worth("1800.00"), after=back)

    def test_all_are_polled_when_none_is_named(self, network, ids, token_file):
        network.refuses_sockets = True
        with both(network.url, token_file, timing={"first_pause": 0.05}) as followers:
            for follower in followers:
                assert follower.wait_for("value")["account_id"] == ids[1]


class TestNetwork:
    def test_a_dead_connection_is_noticed_and_replaced(
        self, network, account_id, token_file, publisher
    ):
        timing = {"heartbeat": 0.3, "connect": 1, "stale_after": 0.2}
        with both(network.url, token_file, account=account_id, timing=timing) as followers:
            for follower in followers:
                follower.wait_for("value", is_worth("1300.00"))
            network.is_frozen = True
            frozen = time.monotonic()
            for follower in followers:
                follower.wait_for("value", is_stale, after=frozen)
            publisher.trade("AAPL", "104")
            network.thaw()
            for follower in followers:
                follower.wait_for("value", is_worth("1312.00"))
                assert never_went_back(follower.values)

    def test_cut_off_again_and_again_it_ends_with_what_the_server_says(
        self, network, account_id, token_file, publisher
    ):
        options = {"positions": True, "timing": {"first_pause": 0.05, "settled": 0}}
        with both(network.url, token_file, account=account_id, **options) as followers:
            for turn in range(1, 9):
                for follower in followers:
                    follower.wait_for("value", is_worth(1297 + 3 * turn))
                network.cut()
                publisher.trade("AAPL", 100 + turn)
            for follower in followers:
                last = follower.wait_for("value", is_worth("1324.00"))
                told = read(network.url, account_id, token_file.read_text())
                assert {**told, **last, "timestamp": told["timestamp"]} == told | {
                    name: last[name] for name in ("seq", "as_of")
                }
                assert never_went_back(follower.values)

        assert network.sockets == 18

    def test_an_idle_connection_is_kept_alive_by_heartbeats(
        self, network, account_id, token_file, publisher
    ):
        with both(
            network.url, token_file, account=account_id, timing={"heartbeat": 3}
        ) as followers:
            for follower in followers:
                follower.wait_for("value")
            time.sleep(8)  # longer than the silence for which they would leave

        assert network.sockets == 2

    def test_without_sockets_it_asks_again_and_again_until_there_are_some(
        self, network, account_id, token_file, publisher
    ):
        network.refuses_sockets = True
        timing = {"first_pause": 0.05, "longest_pause": 0.3, "poll": 0.2}
        with both(network.url, token_file, account=account_id, timing=timing) as followers:
            for follower in followers:
                follower.wait_for("state", lambda state: state == "polling")
                follower.wait_for("value", is_worth("1300.00"))
            publisher.trade("AAPL", "102")
            for follower in followers:
                follower.wait_for("value", is_worth("1306.00"))
                assert "live" not in follower.states
            network.refuses_sockets = False
            for follower in followers:
                follower.wait_for("state", lambda state: state == "live")
            asked = self.requests_once_quiet(network)
            publisher.trade("AAPL", "103")
            for follower in followers:
                follower.wait_for("value", is_worth("1309.00"))
                assert never_went_back(follower.values)
            time.sleep(0.6)

        assert network.requests == asked
        assert network.sockets >= 8  # three tries each at least, before it polled

    @staticmethod
    def requests_once_quiet(network):
        """Count what was asked; the last of it may still be on its way."""
        asked, deadline = -1, time.monotonic() + 60
        while asked != network.requests:
            assert time.monotonic() < deadline
            asked = network.requests
            time.sleep(0.6)
        return asked

    @pytest.mark.usefixtures("publisher")
    def test_a_token_that_does_not_come_leaves_no_polled_value_live(
        self, network, account_id, token_file
    ):
        network.refuses_sockets = True
        timing = Timing(
            connect_seconds=3,
            poll_seconds=0.05,
            first_pause_seconds=60,
            longest_pause_seconds=60,
            tries_before_polling=1,
        )
        asked = []

        async def token():
            asked.append(None)
            if len(asked) > 2:  # to connect, and for the first round of polling
                await asyncio.Event().wait()
            return token_file.read_text()

        async def first_two():
            client = LiveClient(network.url, account=account_id, token=token, timing=timing)
            values = aiter(client)
            async with asyncio.timeout(60):
                return [(await anext(values))["stale"] for _ in range(2)]

        assert asyncio.run(first_two()) == [False, True]

    @pytest.mark.usefixtures("publisher")
    def test_with_too_many_sockets_it_polls_instead(
        self, language, url, account_id, token_file, settings
    ):
        settings.SOCKETS_PER_PRINCIPAL = 0
        with following(language, url, token_file, account=account_id) as follower:
            follower.wait_for("value", is_worth("1300.00"))

        assert follower.states == ["connecting", "polling", "stopped"]

    def test_nobody_there_is_said_at_once_and_outlived(self, language, network, token_file):
        network.close()
        timing = {"first_pause": 0.05, "longest_pause": 0.1, "poll": 0.1}
        with following(language, network.url, token_file, account="a", timing=timing) as follower:
            follower.wait_for("token", after=time.monotonic() + 0.5)

        assert (follower.states, follower.values) == (["connecting", "stopped"], [])


class TestOutage:
    def test_a_redis_that_is_gone_makes_values_stale_and_its_return_live(
        self, restartable_redis, url, account_id, token_file, publisher
    ):
        with both(url, token_file, account=account_id) as followers:
            for follower in followers:
                follower.wait_for("value", is_worth("1300.00"))
            killed = time.monotonic()
            restartable_redis.kill()
            for follower in followers:
                follower.wait_for("value", is_stale, after=killed, within=6)
                assert follower.states[-1] == "stale"
            restartable_redis.start()
            with publisher.alive():
                publisher.trade("AAPL", "101")
                for follower in followers:
                    follower.wait_for("value", is_worth("1303.00"), within=6)
                    assert never_went_back(follower.values)
            assert [follower.states[-1] for follower in followers] == ["live", "live"]


class TestKills:
    @pytest.mark.parametrize(
        "kills", [1, pytest.param(40, marks=[pytest.mark.proof, pytest.mark.timeout(900)])]
    )
    def test_after_each_return_of_the_server_the_newest_value_is_shown(
        self, kills, issuer, account_id, token_file, publisher
    ):
        signals = cycle([signal.SIGKILL, signal.SIGTERM])
        timing = {"longest_pause": 1, "poll": 0.5}
        with (
            publisher.alive(),
            factories.web(issuer) as web,
            both(web.url, token_file, account=account_id, timing=timing) as followers,
        ):
            took = []
            for turn, number in zip(range(1, kills + 1), signals, strict=False):
                for follower in followers:
                    follower.wait_for("value", is_worth(1297 + 3 * turn))
                web.end(number)
                publisher.trade("AAPL", 100 + turn)
                web.start()
                back = web.wait_until_ready()
                for follower in followers:
                    follower.wait_for("value", is_worth(1300 + 3 * turn), after=back)
                took.append(time.monotonic() - back)
            told = read(web.url, account_id, token_file.read_text())
            values = [follower.values for follower in followers]

        assert told["raw_value"] == Decimal(1300 + 3 * kills)
        for shown in values:
            assert never_went_back(shown)
            assert {**shown[-1], "seq": 0, "timestamp": ""}.items() >= {
                name: told[name] for name in ("raw_value", "raw_return", "cash", "unpriced")
            }.items()
            amounts = [value["raw_value"] for value in shown]
            assert all(later >= sooner for sooner, later in pairwise(amounts))
        assert max(took) <= 6 * factories.SLOW_DOWN, took
