"""How long a socket may stay open: until its credential runs out, or its key is revoked."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

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


@contextmanager
def staying(guest: Guest, socket: LiveSocket) -> Iterator[None]:
    """
    End the socket at the moment its credential runs out, or soon after its key is revoked.

    Access tokens cannot be revoked one by one; they are short-lived instead.
    """
    loop = asyncio.get_running_loop()
    timer = None
    if guest.expires_at is not None:
        timer = loop.call_at(guest.expires_at, socket.end, guest.shown_out_with)
    watch = _WATCHES.get()
    watch.add(guest, socket)
    try:
        yield
    finally:
        watch.remove(guest, socket)
        if timer is not None:
            timer.cancel()


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
