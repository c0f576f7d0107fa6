"""What sockets share: how long they may stay, and one of everything in each loop."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from core.auth import api_keys
from core.ids import new_id
from core.sockets import codes
from core.sockets.loops import PerLoop
from core.sockets.seats import Guest
from core.sockets.stays import staying
from core.threads import in_database


class FakeSocket:
    """Notes with which code it was ended, and when."""

    def __init__(self):
        self.ended = []

    def is_writable(self):
        return not self.ended

    def try_send(self, text):
        return self.is_writable()

    def end(self, code):
        self.ended.append(code)


def guest(**known):
    return Guest(account_id=new_id(), owner="somebody", **known)


class TestExpiry:
    def test_ends_the_socket_at_its_time_and_not_before(self):
        async def run():
            socket, at = FakeSocket(), asyncio.get_running_loop().time() + 0.2
            with staying(guest(expires_at=at, shown_out_with=4001), socket):
                await asyncio.sleep(0.1)
                before = list(socket.ended)
                await asyncio.sleep(0.15)
                return before, socket.ended

        assert asyncio.run(run()) == ([], [4001])

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
            await asyncio.sleep(0.3)
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


def test_every_loop_has_its_own():
    per_loop = PerLoop(object)

    async def ask():
        return per_loop.get(), per_loop.get()

    (one, same), (other, _) = asyncio.run(ask()), asyncio.run(ask())

    assert one is same
    assert other is not one
