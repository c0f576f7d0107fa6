"""Several accounts on one socket, and what they are worth together."""

import socket
from contextlib import contextmanager
from decimal import Decimal

import pytest

from core import realtime
from core.auth import SYSTEM, acting_as, api_keys
from core.ids import new_id
from tests.live import factories
from tests.live.factories import OWNER
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def older(account, publisher):
    """An account that the same customer has closed, with cash and two shares."""
    with acting_as(SYSTEM):
        type(account).objects.filter(pk=account.pk).update(vendor_status="ACCOUNT_CLOSED")
    older = account
    trading.fund(older, cash="50.00", positions={"MSFT": "2"})
    publisher.follow("MSFT", "300", close="290")
    publisher.tick()
    return older


@pytest.fixture
def newer(older):
    newer = trading.new_account(OWNER)
    trading.fund(newer, cash="200.00", positions={"AAPL": "1"})
    return newer


@pytest.fixture
def few(settings):
    settings.ACCOUNTS_PER_SOCKET = 2


@contextmanager
def opened(port, token, *, accounts=None, **said):
    """Open the socket and name accounts, unless all are meant."""
    if accounts is not None:
        said["accounts"] = [str(account) for account in accounts]
    with factories.signed_in(port, "", token, said=said) as client:
        yield client


def told(client, count):
    """Read so many messages, and tell what each is and of what."""
    messages = [client.next() for _ in range(count)]
    return [(message["type"], message.get("account_id")) for message in messages]


def figures(message):
    return [message[name] for name in ("total_value", "today_return", "raw_return_percent")]


class TestBeginning:
    def test_all_of_ones_own_are_told_when_none_is_named(self, port, newer, token):
        with opened(port, token) as client:
            greeting = client.next()
            assert told(client, 1) == [("snapshot", str(newer.pk))]
            sum_of_one = client.next()

        assert greeting == {"type": "subscribed", "accounts": [str(newer.pk)]}
        assert (sum_of_one["type"], sum_of_one["account_id"], sum_of_one["accounts"]) == (
            "aggregate",
            None,
            1,
        )
        assert sum_of_one["total_value"] == "$300.00"

    def test_those_named_are_told_and_added_up(self, port, older, newer, token):
        named = [newer.broker_account_id, older.pk]
        with opened(port, token, accounts=named) as client:
            assert client.next()["accounts"] == [str(name) for name in named]
            snapshots = [client.next(), client.next()]
            aggregate = client.next()

        assert [(s["account_id"], s["total_value"]) for s in snapshots] == [
            (newer.broker_account_id, "$300.00"),
            (str(older.pk), "$950.00"),
        ]
        assert aggregate.keys() == (snapshots[0].keys() | {"accounts"}) - {
            "cash",
            "pending_deposits",
            "pending_withdrawals",
            "positions",
            "revision",
        }
        # 1,250.00, of which 1 + 3 + 20 came today
        assert figures(aggregate) == ["$1250.00", "+$24.00 (1.96%)", Decimal("1.96")]

    def test_what_is_not_theirs_is_said_and_the_socket_stays_open(
        self, port, newer, token, publisher
    ):
        foreign = trading.new_account("bob-sub")
        unknown = [str(new_id()), "x", str(foreign.pk), foreign.broker_account_id]
        with opened(port, token, accounts=[*unknown, newer.pk]) as client:
            errors = [client.next() for _ in unknown]
            assert client.next()["accounts"] == [str(newer.pk)]
            assert told(client, 2) == [("snapshot", str(newer.pk)), ("aggregate", None)]
            publisher.trade("AAPL", 101)
            assert told(client, 2) == [("update", str(newer.pk)), ("aggregate", None)]

        assert [error["account_id"] for error in errors] == unknown
        assert {(error["type"], error["error"]) for error in errors} == {("error", "not_found")}

    @pytest.mark.parametrize(
        ("accounts", "code"), [("x" * 70, 4400), (5, 4400), ([1], 4400), (["a", "b", "c"], 4429)]
    )
    @pytest.mark.usefixtures("few")
    def test_what_is_no_list_or_too_long_is_refused(self, port, token, accounts, code):
        with factories.signed_in(port, "", token, said={"accounts": accounts}) as client:
            assert client.close_code() == code


class TestWhileOpen:
    @pytest.mark.usefixtures("few")
    def test_accounts_come_and_go(self, port, older, newer, token, publisher):
        with opened(port, token) as client:
            told(client, 3)
            client.send(type="subscribe", accounts=[str(older.pk), "x"], detail="positions")
            error, answer = client.next(), client.next()
            assert told(client, 1) == [("snapshot", str(older.pk))]
            both = client.next()
            publisher.trade("MSFT", 310)
            moved, both_moved = client.next(), client.next()
            client.send(type="subscribe", accounts=["y", "z"])
            # neither is known, so that there are not too many
            assert [client.next()["error"] for _ in range(2)] == ["not_found"] * 2
            assert client.next(kind="subscribed") == answer
            client.next(kind="aggregate")
            client.send(type="unsubscribe", accounts=[str(newer.pk), "nothing"])
            assert client.next(kind="subscribed")["accounts"] == [str(older.pk)]
            one = client.next()
            publisher.trade("AAPL", 110)
            assert told(client, 2) == [("update", str(older.pk)), ("aggregate", None)]
            client.send(type="subscribe", accounts=[])
            assert client.close_code() == 4400

        assert (error["error"], error["account_id"]) == ("not_found", "x")
        assert answer["accounts"] == [str(newer.pk), str(older.pk)]
        assert [message["total_value"] for message in (both, moved, both_moved, one)] == [
            "$1250.00",
            "$970.00",
            "$1270.00",
            "$970.00",
        ]
        assert [position["symbol"] for position in moved["positions"]] == ["MSFT"]

    def test_the_sum_is_told_once_a_frame(self, port, older, newer, token, publisher):
        with opened(port, token, accounts=[older.pk, newer.pk]) as client:
            told(client, 4)
            publisher.trade("AAPL", 101)
            *updates, aggregate = told(client, 3)
            assert {account_id for _, account_id in updates} == {str(older.pk), str(newer.pk)}
            assert aggregate == ("aggregate", None)
            with pytest.raises(TimeoutError):
                client.next(within=0.3)

    def test_of_those_read_anew_only_one_that_is_another_is_told(
        self, port, older, newer, token, publisher
    ):
        with opened(port, token, accounts=[older.pk, newer.pk]) as client:
            told(client, 4)
            trading.fund(newer, cash="100.00")
            for account in (older, newer):
                realtime.account_changed(str(account.pk))
            assert told(client, 1) == [("snapshot", str(newer.pk))]
            assert client.next()["total_value"] == "$1150.00"
            realtime.account_changed(str(older.pk))
            with pytest.raises(TimeoutError):
                client.next(within=0.7)

    def test_more_accounts_than_one_may_look_at_are_refused(
        self, port, older, newer, token, settings
    ):
        settings.ACCOUNTS_PER_SOCKET = 1
        with opened(port, token) as client:
            told(client, 3)
            client.send(type="subscribe", accounts=[str(older.pk)])
            refusal = client.next()
            assert (refusal["error"], refusal["accounts"]) == (
                "too_many_accounts",
                [str(older.pk)],
            )
            client.send(type="heartbeat")
            assert client.next()["type"] == "heartbeat_ack"

    def test_a_refusal_does_not_name_what_is_looked_at_already(self, port, older, newer, settings):
        third = trading.new_account("bob-sub")
        settings.ACCOUNTS_PER_SOCKET = 2
        key = api_keys.create(label="a", scopes=["portfolio:read", "act_for"]).text
        with opened(port, key, accounts=[newer.pk, older.pk]) as client:
            told(client, 4)
            client.send(type="subscribe", accounts=[str(newer.pk), str(third.pk)])
            refusal = client.next()
            # More than there are places, however many of them are taken.
            client.send(type="subscribe", accounts=[str(third.pk), str(newer.pk), str(older.pk)])
            same = client.next()

        assert (refusal["error"], refusal["accounts"]) == ("too_many_accounts", [str(third.pk)])
        assert same == refusal

    def test_what_is_not_known_of_one_is_not_known_of_the_sum(self, port, newer, issuer):
        never_read = trading.new_account("bob-sub")
        key = api_keys.create(label="a", scopes=["portfolio:read", "act_for"]).text
        with opened(port, key, accounts=[newer.pk, never_read.pk]) as client:
            aggregate = client.next(kind="aggregate")

        assert figures(aggregate) == [None, None, None]
        assert aggregate["accounts"] == 2

    def test_each_account_is_resumed_by_itself(self, port, older, newer, token, publisher):
        named = [older.pk, newer.pk]
        with opened(port, token, accounts=named) as client:
            client.next()
            left = {m["account_id"]: m for m in (client.next(), client.next())}
        left[str(newer.pk)]["revision"] = "another"
        resume = {
            name: {key: message[key] for key in ("epoch", "seq", "revision")}
            for name, message in left.items()
        }
        with opened(port, token, accounts=named, resume=resume) as client:
            client.next()
            assert told(client, 3) == [
                ("resumed", str(older.pk)),
                ("snapshot", str(newer.pk)),
                ("aggregate", None),
            ]

    def test_stale_values_are_told_of_each_and_of_the_sum(self, port, newer, token, publisher):
        with opened(port, token) as client:
            assert client.next(kind="aggregate")["stale"] is False
            publisher.desk.stocks.heard_at = float("-inf")
            publisher.tick()
            stale = [client.next(), client.next()]

        assert [(message["type"], message["stale"]) for message in stale] == [
            ("update", True),
            ("aggregate", True),
        ]


class TestServices:
    def test_one_sees_a_customers_accounts_or_those_it_names(self, port, newer, publisher):
        other = trading.new_account("bob-sub")
        trading.fund(other, cash="10.00")
        scopes = ["portfolio:read", "act_for"]
        key = api_keys.create(label="a", scopes=scopes).text
        poor = api_keys.create(label="b", scopes=["portfolio:read"]).text
        with opened(port, key, act_for=OWNER) as client:
            assert client.next()["accounts"] == [str(newer.pk)]
        with opened(port, key, accounts=[newer.pk, other.pk]) as client:
            assert client.next()["accounts"] == [str(newer.pk), str(other.pk)]
            assert client.next(kind="aggregate")["total_value"] == "$310.00"
        with opened(port, key) as client:
            assert client.close_code() == 4404
        with opened(port, poor, accounts=[newer.pk]) as client:
            assert client.close_code() == 4404


@pytest.mark.usefixtures("cramped")
class TestSlowReaders:
    @pytest.fixture(autouse=True)
    def patient(self, settings):
        """Be patient with one that is behind because the machine is busy."""
        settings.SOCKET_SLOW_SECONDS = 100

    def test_the_latest_of_everything_is_told_once_there_is_room(
        self, port, older, newer, token, publisher
    ):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.connect(("127.0.0.1", port))
        said = {"accounts": [str(older.pk), str(newer.pk)]}
        count = 200
        with (
            factories.signed_in(port, "", token, said=said, sock=raw, max_queue=1) as slow,
            factories.signed_in(port, newer.pk, token) as good,
        ):
            good.next()
            for turn in range(count):
                publisher.trade("AAPL", 101 + turn)
                good.next(kind="update")
            heard = {}
            while heard.get(None) != "$2050.00":
                message = slow.next()
                heard["count"] = heard.get("count", 0) + 1
                heard[message.get("account_id")] = message.get("total_value")

        assert heard.pop("count") < 3 * count
        assert heard == {str(older.pk): "$1550.00", str(newer.pk): "$500.00", None: "$2050.00"}
