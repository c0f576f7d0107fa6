"""Whether the accounts that sockets look at are still theirs."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError

from core.errors import CleraError
from core.sockets.seats import Seats

logger = structlog.get_logger()
OwnersOf = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, str]]]
_ACCOUNTS_A_QUESTION: Final = 1000
_AFTER_FAULT_SECONDS: Final = 1.0


class OwnerWatch:
    """Asks again and again, once for all sockets of a hub, whose the accounts are."""

    def __init__(self, seats: Seats[Any], owners_of: OwnersOf) -> None:
        self._seats = seats
        self._owners_of = owners_of
        self._doubted: set[UUID] = set()
        self._is_someone_doubted = asyncio.Event()

    def doubt(self, account_ids: Iterable[UUID]) -> None:
        """Ask about these at once: something about them has changed."""
        self._doubted.update(account_ids)
        if self._doubted:
            self._is_someone_doubted.set()

    async def run(self) -> None:
        """Run for ever; a question without an answer is repeated."""
        all_at = _now() + settings.SOCKET_RECHECK_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(all_at):
                    await self._is_someone_doubted.wait()
            self._is_someone_doubted.clear()
            accounts = list(self._doubted)
            if _now() >= all_at:  # however many were doubted meanwhile
                all_at = _now() + settings.SOCKET_RECHECK_SECONDS
                accounts = self._seats.accounts
            self._doubted.clear()
            try:
                await self._check(accounts)
            except (DatabaseError, CleraError) as error:
                logger.warning("owner_watch.not_checked", error=type(error).__name__)
                await asyncio.sleep(_AFTER_FAULT_SECONDS)
                self.doubt(accounts)

    async def _check(self, accounts: list[UUID]) -> None:
        for start in range(0, len(accounts), _ACCOUNTS_A_QUESTION):
            some = accounts[start : start + _ACCOUNTS_A_QUESTION]
            owners = await self._owners_of(some)
            for account_id in some:
                self._show_out_strangers(account_id, owner=owners.get(account_id))

    def _show_out_strangers(self, account_id: UUID, *, owner: str | None) -> None:
        for seat in self._seats.of(account_id):
            if seat.owners.get(account_id) != owner:
                logger.info("owner_watch.socket_ended", account_id=str(account_id))
                seat.socket.end(seat.guest.sent_away_with)


def _now() -> float:
    return asyncio.get_running_loop().time()
