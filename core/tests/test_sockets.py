"""What sockets share: how long they may stay, and one of everything in each loop."""

import asyncio
import weakref
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.utils import timezone

from core.auth import Kind, Principal, api_keys
from core.auth.sockets import Admission, NamedAccount
from core.errors import ServiceBusy
from core.sockets import codes
from core.sockets.hub import Hub
from core.sockets.loops import PerLoop
from core.sockets.owners import OwnerWatch
from core.sockets.seats import Guest, Seat, Seats
from core.sockets.stays import staying
from core.sockets.visits import Credential, Refused, Visit
from core.threads import in_database


class FakeSocket:
    """Notes what it was sent, and with which code it was ended."""

    def __init__(self):
        self.sent = []
        self.ended = []
        self.is_ended = asyncio.Event()

    def is_writable(self):
        return not self.ended

    def try_send(self, text):
        if self.is_writable():
            self.sent.append(text)
        return self.is_writable()

    def end(self, code):
        self.ended.append(code)
        self.is_ended.set()


async def until_one_has_ended(*sockets):
    waits = [asyncio.ensure_future(socket.is_ended.wait()) for socket in sockets]
    await asyncio.wait(waits, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def guest(*, key_id=None, **known):
    kind = Kind.CUSTOMER if key_id is None else Kind.SERVICE
    principal = Principal(kind=kind, key_id=key_id)
    return Guest(Admission(principal, "somebody"), **known)


class TestHeartbeats:
    @pytest.fixture
    def seats(self, settings):
        settings.HEARTBEAT_INTERVAL = 20
        return Seats()

    def add(self, seats, *, beat_at):
        seat = Seat(guest=guest(), socket=FakeSocket())
        seats.add(seat, beat_at=beat_at)
        return seat

    def heard(self, seats, seat, *, times):
        """Say at which of these times it was told something."""
        told = []
        for now in times:
            before = len(seat.socket.sent)
            seats.beat(b"there", now=now)
            told += [now] * (len(seat.socket.sent) - before)
        return told

    def test_everybody_hears_them_in_their_own_rhythm(self, seats):
        late, soon = self.add(seats, beat_at=15), self.add(seats, beat_at=5)

        assert self.heard(seats, soon, times=range(0, 50, 5)) == [5, 25, 45]
        assert len(late.socket.sent) == 2

    def test_two_of_one_moment_both_hear_them(self, seats):
        both = [self.add(seats, beat_at=5) for _ in range(2)]

        seats.beat(b"there", now=5)

        assert [seat.socket.sent for seat in both] == [[b"there"]] * 2

    def test_who_left_hears_none(self, seats):
        gone, stays = self.add(seats, beat_at=5), self.add(seats, beat_at=6)
        seats.remove(gone)

        seats.beat(b"there", now=30)

        assert (gone.socket.sent, stays.socket.sent) == ([], [b"there"])

    def test_nothing_is_kept_of_who_left(self, seats):
        gone = self.add(seats, beat_at=5)
        seat = weakref.ref(gone.socket)
        seats.remove(gone)

        del gone
        assert seat() is None

    def test_with_no_time_between_them_each_look_sends_one(self, seats, settings):
        settings.HEARTBEAT_INTERVAL = 0
        seat = self.add(seats, beat_at=5)

        assert self.heard(seats, seat, times=[5, 6]) == [5, 6]

    def test_who_is_behind_hears_none_until_it_can_read_again(self, seats):
        seat = self.add(seats, beat_at=5)
        seats.note_behind(seat, now=4)

        assert self.heard(seats, seat, times=[5, 25]) == []

        seats.send(seat, b"news", now=30)
        assert self.heard(seats, seat, times=[40, 45, 64, 65]) == [45, 65]


class TestExpiry:
    def test_ends_the_socket_at_its_time_and_not_before(self):
        async def run():
            loop = asyncio.get_running_loop()
            socket, at = FakeSocket(), loop.time() + 0.2
            with staying(guest(expires_at=at, shown_out_with=4001), socket):
                await until_one_has_ended(socket)
                return loop.time() >= at, socket.ended

        assert asyncio.run(run()) == (True, [4001])

    def test_does_not_reach_a_socket_that_has_left(self):
        async def run():
            socket, at = FakeSocket(), asyncio.get_running_loop().time() + 0.05
            with staying(guest(expires_at=at), socket):
                pass
            await asyncio.sleep(0.1)
            return socket.ended

        assert asyncio.run(run()) == []

    def test_of_something_run_out_already_ends_it_at_once(self):
        async def run():
            socket = FakeSocket()
            with staying(guest(expires_at=asyncio.get_running_loop().time() - 5), socket):
                await asyncio.sleep(0.01)
                return socket.ended

        assert asyncio.run(run()) == [codes.UNAUTHENTICATED]


class TestOwnership:
    def test_is_asked_about_of_everybody_however_many_notices_come(self, settings):
        settings.SOCKET_RECHECK_SECONDS = 0.1
        noisy, quiet = uuid4(), uuid4()
        seen = [NamedAccount(noisy, "", "alice"), NamedAccount(quiet, "", "bob")]
        seats = Seats()

        async def owners_of(account_ids):
            now = {noisy: "alice", quiet: "carol"}
            return {account_id: now[account_id] for account_id in account_ids}

        async def run():
            sockets = []
            for account in seen:
                admission = Admission(Principal(kind=Kind.CUSTOMER), "x", (account,))
                seats.add(Seat(guest=Guest(admission), socket=FakeSocket()), beat_at=0)
                sockets.append(seats.of(account.account_id)[0].socket)
            watch = OwnerWatch(seats, owners_of)
            watching = asyncio.create_task(watch.run())
            for _ in range(30):
                watch.doubt([noisy])
                await asyncio.sleep(0.02)
            watching.cancel()
            return [socket.ended[:1] for socket in sockets]

        assert asyncio.run(run()) == [[], [codes.NOT_YOURS]]


@pytest.mark.django_db(transaction=True)
class TestRevocation:
    @pytest.fixture(autouse=True)
    def often(self, settings):
        settings.SOCKET_RECHECK_SECONDS = 0.05

    def key(self):
        return api_keys.create(label="desk", scopes=["accounts:read"]).key.public_id

    def stay(self, change, guests):
        """Let guests stay, change something, and tell how their sockets ended."""

        async def run():
            sockets = [FakeSocket() for _ in guests]
            stays = [staying(one, socket) for one, socket in zip(guests, sockets, strict=True)]
            for stay in stays:
                stay.__enter__()
            await asyncio.sleep(0.15)
            assert [socket.ended for socket in sockets] == [[]] * len(guests)
            await in_database(change)
            await until_one_has_ended(*sockets)
            await asyncio.sleep(0.1)
            ended = [socket.ended[:1] for socket in sockets]
            for stay in stays:
                stay.__exit__(None, None, None)
            return ended

        return asyncio.run(run())

    def test_ends_every_socket_of_the_key_and_no_other(self):
        bad, good = self.key(), self.key()
        guests = [
            guest(key_id=bad),
            guest(key_id=bad, shown_out_with=4001),
            guest(key_id=good),
            guest(),
        ]

        ended = self.stay(lambda: api_keys.revoke(public_id=bad, at=timezone.now()), guests)

        assert ended == [[4401], [4001], [], []]

    def test_a_rotation_that_ends_a_key_now_ends_its_sockets(self):
        old = self.key()

        def rotate():
            api_keys.rotate(public_id=old, at=timezone.now(), overlap=timedelta(milliseconds=50))

        assert self.stay(rotate, [guest(key_id=old)]) == [[4401]]


class TestListening:
    class Hub(Hub):
        kind, channels = "test", ("news",)

        async def listening(self, client):
            raise AssertionError("What is published from here on reaches us.")

    async def never_subscribe(self, reader, writer):
        """Be a Redis that is too busy for it, and answers all else."""
        behind = urlsplit(self.url)
        answers, questions = await asyncio.open_connection(behind.hostname, behind.port)

        async def answer():
            while data := await answers.read(65_536):
                writer.write(data)

        answering = asyncio.create_task(answer())
        while data := await reader.read(65_536):
            if b"SUBSCRIBE" not in data:
                questions.write(data)
        questions.close()
        await answering
        writer.close()

    def test_begins_when_redis_has_said_that_it_sends(self, settings, monkeypatch):
        monkeypatch.setattr("core.sockets.hub._ANSWER_SECONDS", 0.1)
        self.url = settings.REDIS_URL
        behind = urlsplit(self.url).port

        async def run():
            async with await asyncio.start_server(self.never_subscribe, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                settings.REDIS_URL = self.url.replace(f":{behind}/", f":{port}/")
                with pytest.raises(TimeoutError):
                    await self.Hub(owners_of=None)._listen()

        asyncio.run(run())


def test_every_loop_has_its_own():
    per_loop = PerLoop(object)

    async def ask():
        return per_loop.get(), per_loop.get()

    (one, same), (other, _) = asyncio.run(ask()), asyncio.run(ask())

    assert one is same
    assert other is not one


def test_one_that_is_behind_can_renew_and_one_that_has_left_is_not_let_in():
    class Behind(FakeSocket):
        def is_writable(self):
            return False

    async def ask(wish, *, is_wanted):
        if not is_wanted():
            raise ServiceBusy
        return Admission(Principal(kind=Kind.CUSTOMER, user_id=wish.token), "somebody")

    async def run():
        scope = {"url_route": {"kwargs": {"account_id": "one"}}}
        visit = Visit(scope, FakeSocket(), Credential("old"))
        await visit.admit(ask, scope="portfolio:read")
        visit.socket = Behind()
        renewed = await visit.admit_again("new", act_for=None)
        with pytest.raises(Refused) as sent_away:
            await Visit(scope, Behind(), Credential("old")).admit(ask, scope="portfolio:read")
        return renewed.admission.principal.user_id, sent_away.value.code

    assert asyncio.run(run()) == ("new", codes.TRY_LATER)
