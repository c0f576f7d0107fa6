"""The socket of account events, over real servers, with the real PostgreSQL and Redis."""

import asyncio
import json
import random
import threading
import time
from contextlib import contextmanager
from socket import SHUT_RDWR

import pytest
from django.db import connection, transaction
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from accounts.models import AccountEvent, AccountFeed
from accounts.services import feed
from accounts.services.feed import News
from core import realtime
from core.auth import SYSTEM, acting_as, api_keys
from core.ids import new_id
from tests.live import factories
from tests.live.factories import OWNER, PlainSocket, client, deaf_client
from trading.tests import factories as trading

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "account.status"


def push(account, count=1, **payload):
    """Tell an account's owner something, and return the last number it got."""
    news = [News(account.pk, account.user_id, KIND, payload)] * count
    with acting_as(SYSTEM):
        return feed.push_all(news)[account.pk]


@contextmanager
def listening(port, account, token, *, since=None, **options):
    """Open the socket, and continue after an event when one is named."""
    said = {} if since is None else {"since": since}
    name = getattr(account, "pk", account)
    with factories.signed_in(port, name, token, said=said, kind="account", **options) as socket:
        yield socket


def numbers(socket, count, *, within=5.0):
    return [socket.next(kind="event", within=within)["seq"] for _ in range(count)]


@pytest.fixture
def key():
    """A key that may look at every customer's accounts and values."""
    scopes = ["accounts:read", "portfolio:read", "act_for"]
    return api_keys.create(label="desk", scopes=scopes)


class TestBeginning:
    def test_says_hello_and_goes_on_with_what_happens_now(self, port, account, token):
        push(account, 2)
        with listening(port, account, token) as socket:
            hello = socket.next()
            push(account, status="ACTIVE")
            event = socket.next()

        assert hello == {"type": "hello", "account_id": str(account.pk), "seq": 2, "oldest": 1}
        at = event.pop("at")
        assert at.endswith("Z")
        assert event == {"type": "event", "seq": 3, "kind": KIND, "payload": {"status": "ACTIVE"}}

    def test_names_the_account_as_the_client_did(self, port, account, token):
        with listening(port, account.broker_account_id, token) as socket:
            assert socket.next() == {
                "type": "hello",
                "account_id": account.broker_account_id,
                "seq": 0,
                "oldest": None,
            }

    def test_replays_what_lies_behind_the_place(self, port, account, token):
        push(account, 350)
        with listening(port, account, token, since=100) as socket:
            assert socket.next()["seq"] == 350
            assert numbers(socket, 250) == [*range(101, 351)]
            push(account)
            assert numbers(socket, 1) == [351]

    @pytest.mark.parametrize("query", ["&since=2", ""])
    def test_takes_the_place_in_the_address_beside_the_token(self, port, account, token, query):
        push(account, 3)
        url = f"?token={token}{query}"
        with client(port, account.pk, kind="account", query=url) as socket:
            assert socket.next()["type"] == "hello"
            push(account)
            assert socket.next(kind="event")["seq"] == (3 if query else 4)

    def test_takes_it_beside_a_subprotocol_too(self, port, account, token):
        push(account, 3)
        offered = ["clera.v1", f"bearer.{token}"]
        options = {"kind": "account", "query": "?since=1", "subprotocols": offered}
        with client(port, account.pk, **options) as socket:
            assert socket.next()["type"] == "hello"
            assert numbers(socket, 2) == [2, 3]

    @pytest.mark.parametrize(
        ("count", "since"), [(3, 4), (3, 10**17), (0, 1), (1002, 1), (1001, 0)]
    )
    def test_a_place_we_cannot_continue_from_is_told(self, port, account, token, count, since):
        if count:
            push(account, count)
        with listening(port, account, token, since=since) as socket:
            assert socket.next()["type"] == "hello"
            assert socket.next() == {"type": "reset", "seq": count}
            push(account)
            assert numbers(socket, 1) == [count + 1]

    def test_a_thousand_events_are_replayed(self, port, account, token):
        push(account, 1000)
        with listening(port, account, token, since=0) as socket:
            assert numbers(socket, 1000) == [*range(1, 1001)]

    def test_a_hole_in_the_table_is_told(self, port, account, token):
        push(account, 5)
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE NONE")
            cursor.execute("DELETE FROM accounts_accountevent WHERE seq = 3")
            cursor.execute("SET ROLE clera_app")

        with listening(port, account, token, since=1) as socket:
            assert [socket.next()["type"], socket.next()] == ["hello", {"type": "reset", "seq": 5}]

    @pytest.mark.parametrize("since", [-1, 1.5, True, "x", "", [], {}, 10**18])
    def test_a_place_that_is_none_is_refused(self, port, account, token, since):
        with listening(port, account, token, since=since) as socket:
            assert socket.next()["error"] == "bad_frame"
            assert socket.close_code() == 4400


class TestWhileOpen:
    def test_an_event_arrives_within_a_quarter_of_a_second(self, port, account, token):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            took = []
            for _ in range(20):
                started = time.monotonic()
                seq = push(account)
                assert numbers(socket, 1) == [seq]
                took.append(time.monotonic() - started)

        assert max(took) <= 0.25

    def test_only_the_sockets_of_the_account_hear_of_it(self, port, account, token, issuer):
        other = trading.new_account("bob-sub")
        bobs = issuer.token(sub="bob-sub")
        with (
            listening(port, account, token) as one,
            listening(port, account.broker_account_id, token) as two,
            listening(port, other, bobs) as bob,
        ):
            for socket in (one, two, bob):
                socket.next(kind="hello")
            push(account, n=1)
            assert one.next() == two.next()
            push(other, n=2)
            assert bob.next()["payload"] == {"n": 2}

    def test_what_is_rolled_back_is_never_told(self, port, account, token):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            with transaction.atomic():
                push(account, n=1)
                transaction.set_rollback(True)
            push(account, n=2)
            event = socket.next()

        assert (event["seq"], event["payload"]) == (1, {"n": 2})

    def test_both_sides_beat(self, port, account, token, settings):
        settings.HEARTBEAT_INTERVAL = 0.3
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            socket.send(type="heartbeat")
            assert socket.next(kind="heartbeat_ack")["type"] == "heartbeat_ack"
            beats = [socket.next(kind="heartbeat") for _ in range(2)]

        assert all(abs(float(beat["timestamp"]) - time.time()) < 5 for beat in beats)

    @pytest.mark.parametrize("frame", ["{", "[]", '"x"', '{"type":"auth"}', b"{}"])
    def test_what_means_nothing_here_ends_it(self, port, account, token, frame):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            socket.connection.send(frame)
            assert socket.close_code() == 4400


class Follower:
    """A client that is cut off again and again, and comes back with the last event it has."""

    def __init__(self, account, token):
        self.account = account
        self.token = token
        self.seen = []

    @property
    def last(self):
        return self.seen[-1] if self.seen else 0

    def listen(self, port, *, until, cut_after=None):
        """Listen until an event came, or some number of them, whichever is first."""
        heard = 0
        with listening(port, self.account, self.token, since=self.last) as socket:
            hello = socket.next()
            assert hello["seq"] >= self.last
            while self.last < until and heard != cut_after:
                self.seen.append(socket.next(kind="event", within=20)["seq"])
                heard += 1
            # No farewell, as when a phone loses its network.
            socket.connection.socket.shutdown(SHUT_RDWR)


class TestReconnecting:
    def test_misses_and_repeats_nothing(self, port, account, token):
        chance, follower = random.Random(20), Follower(account, token)
        with being_written(account, 300):
            for _ in range(20):
                follower.listen(port, until=300, cut_after=chance.randint(0, 14))
            follower.listen(port, until=300)

        assert follower.seen == [*range(1, 301)]

    def test_to_another_process_misses_and_repeats_nothing(self, account, token, issuer):
        chance, follower = random.Random(2), Follower(account, token)
        with factories.web_process(issuer) as one, factories.web_process(issuer) as two:
            for web in (one, two):
                web.wait_until_ready()
            with (
                listening(one.port, account, token) as here,
                listening(two.port, account, token) as there,
            ):
                for socket in (here, there):
                    socket.next(kind="hello")
                started = time.monotonic()
                push(account)
                assert [numbers(socket, 1) for socket in (here, there)] == [[1], [1]]
                assert time.monotonic() - started <= 0.5
            with being_written(account, 210):
                for turn in range(10):
                    web = (one, two)[turn % 2]
                    follower.listen(web.port, until=211, cut_after=chance.randint(0, 20))
                with listening(one.port, account, token) as dying:
                    dying.next(kind="hello")
                    one.process.kill()
                    assert dying.close_code(within=5) is None
                follower.listen(two.port, until=211)

        assert follower.seen == [*range(1, 212)]


@contextmanager
def being_written(account, count):
    """Push events from three threads at once while the block runs."""

    def write():
        try:
            for _ in range(count // 3):
                push(account)
                time.sleep(0.01)
        finally:
            connection.close()

    assert count % 3 == 0
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        for writer in writers:
            writer.join()


class TestGate:
    def test_somebody_elses_account_does_not_exist(self, port, account, issuer):
        push(account)
        mallory = issuer.token(sub="mallory")
        for account_id in (account.pk, account.broker_account_id, new_id(), "x"):
            with listening(port, account_id, mallory, since=0) as socket:
                assert socket.next()["type"] == "error"
                assert socket.close_code() == 4404
        with client(port, account.pk, kind="account", query=f"?token={mallory}") as socket:
            assert socket.close_code() == 4003

    def test_an_expired_token_is_refused(self, port, account, issuer):
        old = issuer.token(sub=account.user_id, exp=int(time.time()) - 60, iat=1_700_000_000)
        with listening(port, account, old) as socket:
            assert socket.close_code() == 4401

    def test_it_ends_at_the_moment_the_token_runs_out(self, port, account, issuer):
        now = int(time.time())
        short = issuer.token(sub=account.user_id, iat=now - 10, exp=now + 2)
        with (
            listening(port, account, short) as socket,
            client(port, account.pk, kind="account", query=f"?token={short}") as original,
        ):
            assert socket.next()["type"] == "hello"
            assert socket.close_code(within=4) == 4401
            assert abs(time.time() - (now + 2)) < 0.5
            assert original.close_code(within=4) == 4001

    def test_a_key_needs_the_scope_and_may_name_its_customer(self, port, account, key):
        poor = api_keys.create(label="b", scopes=["portfolio:read", "act_for"])
        for text, act_for, code in (
            (poor.text, None, 4404),
            (key.text, "somebody-else", 4404),
        ):
            said = {} if act_for is None else {"act_for": act_for}
            options = {"kind": "account", "said": said}
            with factories.signed_in(port, account.pk, text, **options) as socket:
                assert socket.close_code() == code
        said = {"act_for": OWNER, "since": 0}
        with factories.signed_in(port, account.pk, key.text, kind="account", said=said) as socket:
            assert socket.next()["type"] == "hello"

    def test_whom_a_key_names_is_on_record(self, port, account, key):
        said = {"act_for": OWNER}
        with factories.signed_in(port, account.pk, key.text, kind="account", said=said) as socket:
            assert socket.next()["type"] == "hello"

        assert _named(key.key.public_id) == [(OWNER, "socket")]

    @pytest.mark.usefixtures("publisher")
    def test_a_revoked_key_closes_its_sockets_of_every_kind(
        self, port, account, token, key, settings
    ):
        settings.SOCKET_RECHECK_SECONDS = 0.2
        other = api_keys.create(label="b", scopes=["accounts:read", "act_for"])
        query = f"?token={key.text}"
        with (
            listening(port, account, key.text) as events,
            client(port, account.pk, kind="account", query=query) as original,
            factories.signed_in(port, account.pk, key.text) as values,
            listening(port, account, other.text) as others,
            listening(port, account, token) as customers,
        ):
            for socket in (events, original, others, customers):
                socket.next(kind="hello")
            values.next(kind="snapshot")
            time.sleep(0.5)
            api_keys.revoke(public_id=key.key.public_id, at=timezone.now())

            assert [events.close_code(), original.close_code(), values.close_code()] == [
                4401,
                4001,
                4401,
            ]
            push(account)
            assert [numbers(others, 1), numbers(customers, 1)] == [[1], [1]]

    def test_a_customer_has_so_many_sockets_and_no_more(self, port, account, token, settings):
        settings.SOCKETS_PER_PRINCIPAL = 1
        with listening(port, account, token) as first:
            first.next(kind="hello")
            with listening(port, account, token) as second:
                assert second.close_code() == 4429
            push(account)
            assert numbers(first, 1) == [1]


class TestRedisAway:
    def test_events_come_a_little_later_and_fast_again_afterwards(
        self, restartable_redis, port, account, token
    ):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            restartable_redis.kill()
            started = time.monotonic()
            push(account, 3)
            assert numbers(socket, 3, within=6) == [1, 2, 3]
            assert time.monotonic() - started < 6

            with listening(port, account, token, since=1) as late:
                assert late.next(kind="hello")["seq"] == 3
                assert numbers(late, 2) == [2, 3]

            restartable_redis.start()
            _wait_until_fast(socket, account)

    def test_a_lost_notice_is_made_up_for(self, port, account, token):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            whose = {"account_id": account.pk, "user_id": account.user_id}
            with acting_as(SYSTEM):  # as if whoever wrote it had died right after the commit
                AccountFeed.objects.create(**whose, last_seq=1)
                AccountEvent.objects.create(**whose, seq=1, kind=KIND)

            assert numbers(socket, 1, within=6) == [1]

    def test_a_notice_that_is_none_is_left_alone(self, port, account, token):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            for data in (b"{", b"[]", b'{"accounts":[]}', b'{"accounts":{"x":1}}', b"\xff"):
                realtime.connection().publish(feed.CHANNEL, data)
            push(account)
            assert numbers(socket, 1) == [1]


def _wait_until_fast(socket, account):
    """Push until an event comes as soon as it does with notices."""
    deadline = time.monotonic() + 8
    while True:
        started = time.monotonic()
        seq = push(account)
        assert numbers(socket, 1, within=6) == [seq]
        if time.monotonic() - started <= 0.25:
            return
        assert time.monotonic() < deadline


@pytest.fixture
def impatient(settings, monkeypatch):
    """Little room for those who read slowly, and little time."""
    settings.SOCKET_SLOW_SECONDS = 1
    for name in ("_KERNEL_BUFFER", "_HIGH_WATER", "_LOW_WATER"):
        monkeypatch.setattr(f"clera.websockets.{name}", 2048)


class TestSlowReaders:
    @pytest.mark.usefixtures("impatient")
    def test_one_is_ended_and_comes_back_and_has_missed_nothing(
        self, port, account, token, monkeypatch
    ):
        monkeypatch.setattr("clera.websockets._LAST_WORDS_SECONDS", 60)  # it reads them late
        count = 600
        with (
            listening(port, account, token, max_queue=1) as slow,
            listening(port, account, token) as good,
        ):
            good.next(kind="hello")
            push(account, count, text="x" * 3000)
            assert numbers(good, count, within=10) == [*range(1, count + 1)]
            time.sleep(2)
            heard, code = _rest_of(slow)

        assert code == 4408
        assert heard == [*range(1, len(heard) + 1)]
        assert len(heard) < count
        with listening(port, account, token, since=len(heard)) as again:
            assert numbers(again, count - len(heard)) == [*range(len(heard) + 1, count + 1)]

    @pytest.mark.usefixtures("impatient")
    def test_one_that_never_reads_is_cut_and_holds_nobody_up(self, port, account, token):
        push(account, 300, text="x" * 3000)
        with (
            deaf_client(port, account.pk, token, kind="account", more="&since=0") as deaf,
            listening(port, account, token) as good,
        ):
            good.next(kind="hello")
            started = time.monotonic()
            while not factories.is_cut(deaf):
                assert time.monotonic() - started < 15
                seq = push(account)
                assert numbers(good, 1, within=1) == [seq]
            assert time.monotonic() - started > 0.5


def test_a_replay_is_whole_over_plain_asgi_too(account, token):
    push(account, 30)

    async def converse():
        socket = PlainSocket(f"/ws/account/{account.pk}", query=f"token={token}&since=5")
        await socket.open()
        told = [await socket.next() for _ in range(26)]
        await socket.leave()
        return told

    hello, *events = asyncio.run(converse())

    assert hello["seq"] == 30
    assert [event["seq"] for event in events] == [*range(6, 31)]


def _rest_of(socket):
    """Read what is still there and tell the numbers of it, and with which code it ended."""
    heard = []
    try:
        while True:
            message = json.loads(socket.connection.recv(timeout=5))
            if message["type"] == "event":
                heard.append(message["seq"])
    except ConnectionClosed as closed:
        return heard, closed.rcvd.code if closed.rcvd else None


def _named(public_id):
    """List whom a key has named, and where."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute(
            "SELECT user_id, details->>'via' FROM core_auditentry"
            " WHERE action = 'auth.acted_for' AND principal = %s",
            [f"service:{public_id}"],
        )
        found = cursor.fetchall()
        cursor.execute("SET ROLE clera_app")
    return found
