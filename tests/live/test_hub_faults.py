"""What goes wrong while holdings are read costs those who wait for them nothing but time."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest

from core.auth import Kind, Principal
from core.auth.sockets import Admission, NamedAccount
from core.sockets.seats import Guest
from portfolio.live.holdings import AccountHoldings, Position
from portfolio.live.hub import Backend, ValueHub
from portfolio.live.seats import Seat, View


class Listener:
    """A socket that takes everything."""

    def __init__(self):
        self.heard = asyncio.Queue()

    def is_writable(self):
        return True

    def try_send(self, text):
        if b"snapshot" in text:
            self.heard.put_nowait(text)
        return True

    def end(self, code):
        raise AssertionError(code)


class FaultyHub(ValueHub):
    """Fails once, when it is told to."""

    def __init__(self, backend):
        super().__init__(backend)
        self.fault = asyncio.Event()
        self.has_begun_anew = asyncio.Event()

    def reset(self):
        super().reset()
        self.has_begun_anew.set()

    def works(self):
        return (*super().works(), self._fail)

    async def _fail(self):
        await self.fault.wait()
        self.fault.clear()
        raise RuntimeError("as if by a mistake of ours")


def seat_of(account_id):
    account = NamedAccount(account_id, "a", "alice")
    admission = Admission(Principal(kind=Kind.CUSTOMER, user_id="alice"), "x", (account,))
    return Seat(guest=Guest(admission), socket=Listener(), views={account_id: View(account)})


async def end(hub, seat):
    """Leave, and do not wait until the hub sees that nobody is there."""
    hub.leave(seat)
    hub._running.cancel()
    await asyncio.wait([hub._running])
    await asyncio.sleep(0)  # its connection closes


def backend(load):
    async def want(reason, symbols):
        pass

    async def owners_of(account_ids):
        return dict.fromkeys(account_ids, "alice")

    return Backend(load, want, owners_of)


@pytest.mark.usefixtures("no_prices")
def test_who_waited_for_holdings_is_told_them_later():
    async def run():
        loading, may_load = asyncio.Event(), asyncio.Event()

        async def load(account_ids, day):
            loading.set()
            await may_load.wait()
            return {each: AccountHoldings(each, cash=None, positions=()) for each in account_ids}

        hub, seat = FaultyHub(backend(load)), seat_of(uuid4())
        hub.join(seat)
        async with asyncio.timeout(60):
            await loading.wait()
            hub.fault.set()
            await hub.has_begun_anew.wait()
            may_load.set()
            await seat.socket.heard.get()
        await end(hub, seat)

    asyncio.run(run())


@pytest.mark.usefixtures("no_prices")
def test_what_nobody_could_be_asked_about_is_asked_for_again(monkeypatch):
    monkeypatch.setattr("portfolio.live.hub._ASK_AGAIN_SECONDS", 0.3)

    async def run():
        loads = []

        async def load(account_ids, day):
            loads.append(account_ids)
            one = Position("NEW", None if len(loads) == 1 else 7, *map(Decimal, (2, 9, 2, 0)))
            return {
                each: AccountHoldings(each, cash=None, positions=[one], is_settled=len(loads) > 1)
                for each in account_ids
            }

        hub, seat = ValueHub(backend(load)), seat_of(uuid4())
        hub.join(seat)
        async with asyncio.timeout(60):
            await seat.socket.heard.get()
            await seat.socket.heard.get()
        await asyncio.sleep(0.8)
        await end(hub, seat)
        return len(loads)

    assert asyncio.run(run()) == 2
