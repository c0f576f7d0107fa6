"""How long a socket may stay open: until its credential runs out, or its key is revoked."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from core.auth import api_keys
from core.errors import CleraError
from core.sockets.connection import LiveSocket
from core.sockets.loops import PerLoop
from core.sockets.seats import Guest
from core.threads import in_database

logger = structlog.get_logger()
_SAY_AGAIN_SECONDS: Final = 1.0


class Stay:
    """
    Ends a socket at the moment its credential runs out, or soon after its key is revoked.

    Access tokens cannot be revoked one by one; they are short-lived instead.
    """

    def __init__(self, guest: Guest, socket: LiveSocket) -> None:
        self._guest = guest
        self._socket = socket
        self._timers: list[asyncio.TimerHandle] = []

    def begin(self) -> None:
        """Watch over the socket from now on."""
        if self._guest.expires_at is not None:
            self._call_at(self._guest.expires_at, self._socket.end, self._guest.shown_out_with)
            self._call_at(self._notice_at(self._guest.expires_at), self._say_expiring)
        _WATCHES.get().add(self._guest, self._socket)

    def renew(self, guest: Guest) -> None:
        """Let the socket stay for as long as another credential of the same holder says."""
        self.end()
        self._guest = guest
        self.begin()

    def end(self) -> None:
        """Watch over it no longer."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        _WATCHES.get().remove(self._guest, self._socket)

    @property
    def seconds_left(self) -> float | None:
        """How long the credential is good for, if it ever runs out."""
        at = self._guest.expires_at
        return None if at is None else max(at - asyncio.get_running_loop().time(), 0.0)

    def _call_at(self, at: float, call: Callable[..., Any], *args: Any) -> None:
        self._timers.append(asyncio.get_running_loop().call_at(at, call, *args))

    def _notice_at(self, expires_at: float) -> float:
        """Choose the moment; what is good for less than the usual notice is announced half-way."""
        notice: float = settings.SOCKET_EXPIRY_NOTICE_SECONDS
        left = expires_at - asyncio.get_running_loop().time()
        return expires_at - min(notice, left / 2)

    def _say_expiring(self) -> None:
        """Announce the end, as soon as the reader can take it."""
        seconds = round(self.seconds_left or 0.0, 1)
        notice = json.dumps({"type": "expiring", "seconds": seconds})
        if seconds and not self._socket.try_send(notice.encode()):
            again = asyncio.get_running_loop().time() + _SAY_AGAIN_SECONDS
            self._call_at(again, self._say_expiring)


@contextmanager
def staying(guest: Guest, socket: LiveSocket) -> Iterator[Stay]:
    """Watch over a socket for as long as the block runs."""
    stay = Stay(guest, socket)
    stay.begin()
    try:
        yield stay
    finally:
        stay.end()


class KeyWatch:
    """Asks again and again, once for all sockets of the process, which keys still live."""

    def __init__(self) -> None:
        self._sockets: defaultdict[str, dict[LiveSocket, int]] = defaultdict(dict)
        self._running: asyncio.Task[None] | None = None

    def add(self, guest: Guest, socket: LiveSocket) -> None:
        """Watch over a socket, if it was opened with a key."""
        if guest.key_id is None:
            return
        self._sockets[guest.key_id][socket] = guest.shown_out_with
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    def remove(self, guest: Guest, socket: LiveSocket) -> None:
        """Watch over a socket no longer."""
        if guest.key_id is None:
            return
        sockets = self._sockets[guest.key_id]
        sockets.pop(socket, None)
        if not sockets:
            del self._sockets[guest.key_id]

    async def _run(self) -> None:
        """Run while there is a key to ask about; a fault is logged, and the question repeated."""
        while self._sockets:
            await asyncio.sleep(settings.SOCKET_RECHECK_SECONDS)
            try:
                await self._check(list(self._sockets))
            except (DatabaseError, CleraError) as error:
                logger.warning("key_watch.not_checked", error=type(error).__name__)
            except Exception:
                logger.exception("key_watch.failed")

    async def _check(self, key_ids: list[str]) -> None:
        live = await in_database(api_keys.live_among, key_ids, at=timezone.now())
        for key_id in set(key_ids) - live:
            for socket, code in list(self._sockets.get(key_id, {}).items()):
                logger.info("key_watch.socket_ended", key_id=key_id)
                socket.end(code)


_WATCHES: Final = PerLoop(KeyWatch)
