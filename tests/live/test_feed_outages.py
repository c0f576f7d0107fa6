"""The socket of account events when connections, processes, Redis or readers fail."""

import asyncio
import json
import random
import statistics
import threading
import time
from contextlib import contextmanager
from socket import SHUT_RDWR

import pytest
from django.db import connection
from websockets.exceptions import ConnectionClosed

from accounts.models import AccountEvent, AccountFeed
from accounts.services import feed
from core import realtime
from core.auth import SYSTEM, acting_as
from core.metrics import REGISTRY
from tests.live import factories
from tests.live.factories import PlainSocket, deaf_client
from tests.live.feed import KIND, listening, numbers, push

pytestmark = pytest.mark.django_db(transaction=True)


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
                self.seen.append(socket.next(kind="event")["seq"])
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
                took = []
                for seq in range(1, 6):
                    started = time.monotonic()
                    push(account)
                    assert [numbers(socket, 1) for socket in (here, there)] == [[seq], [seq]]
                    took.append(time.monotonic() - started)
                # Long before anybody looks by himself, which they have all just done.
                assert min(took[1:]) <= 1.5
            with being_written(account, 210):
                for turn in range(10):
                    web = (one, two)[turn % 2]
                    follower.listen(web.port, until=215, cut_after=chance.randint(0, 20))
                with listening(one.port, account, token) as dying:
                    dying.next(kind="hello")
                    one.process.kill()
                    assert dying.close_code() is None
                follower.listen(two.port, until=215)

        assert follower.seen == [*range(1, 216)]


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


class TestRedisAway:
    def test_events_come_a_little_later_and_fast_again_afterwards(
        self, restartable_redis, port, account, token
    ):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            restartable_redis.kill()
            started = time.monotonic()
            push(account, 3)
            assert numbers(socket, 3) == [1, 2, 3]
            assert time.monotonic() - started < 30

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

            assert numbers(socket, 1) == [1]

    def test_a_notice_that_is_none_is_left_alone(self, port, account, token):
        with listening(port, account, token) as socket:
            socket.next(kind="hello")
            for data in (b"{", b"[]", b'{"accounts":[]}', b'{"accounts":{"x":1}}', b"\xff"):
                realtime.connection().publish(feed.CHANNEL, data)
            push(account)
            assert numbers(socket, 1) == [1]


def _wait_until_fast(socket, account):
    """Push until an event comes as soon as it does with notices."""
    deadline = time.monotonic() + 60
    while True:
        started = time.monotonic()
        seq = push(account)
        assert numbers(socket, 1) == [seq]
        if time.monotonic() - started <= 0.25:
            return
        assert time.monotonic() < deadline


class TestSlowReaders:
    @pytest.mark.usefixtures("impatient")
    def test_one_is_ended_and_comes_back_and_has_missed_nothing(
        self, port, account, token, monkeypatch, settings
    ):
        settings.SOCKET_SLOW_SECONDS = 4  # a busy machine holds up the good one, too
        monkeypatch.setattr("clera.websockets._LAST_WORDS_SECONDS", 60)  # it reads them late
        count = 600
        with (
            listening(port, account, token, max_queue=1) as slow,
            listening(port, account, token, max_queue=None) as good,
        ):
            good.next(kind="hello")
            cut = _count_cut()
            push(account, count, text="x" * 3000)
            assert numbers(good, count) == [*range(1, count + 1)]
            deadline = time.monotonic() + 60
            while _count_cut() == cut:
                assert time.monotonic() < deadline
                time.sleep(0.05)
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
            started, took = time.monotonic(), []
            while not factories.is_cut(deaf):
                began = time.monotonic()
                assert began - started < 60
                seq = push(account)
                assert numbers(good, 1) == [seq]
                took.append(time.monotonic() - began)
            assert time.monotonic() - started > 0.5

        assert statistics.median(took) < 0.25


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


def _count_cut():
    """Say how many readers have been ended because they were too slow."""
    return REGISTRY.get_sample_value("clera_sockets_cut_total", {"code": "4408"}) or 0


def _rest_of(socket):
    """Read what is still there and tell the numbers of it, and with which code it ended."""
    heard = []
    try:
        while True:
            message = json.loads(socket.connection.recv(timeout=60))
            if message["type"] == "event":
                heard.append(message["seq"])
    except ConnectionClosed as closed:
        return heard, closed.rcvd.code if closed.rcvd else None
