"""The client: one connection after the other, and polling while there is none."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, Literal, Self, cast
from urllib.parse import quote

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from clera_live import problems
from clera_live.book import Book, Value
from clera_live.pauses import USUAL, Timing, wait_before, wait_between_polls
from clera_live.polling import Reader
from clera_live.problems import Problem, Refused
from clera_live.watching import Watcher, call_back

logger = logging.getLogger(__name__)
State = Literal["connecting", "live", "stale", "polling", "refused", "stopped"]

_TOKENS_TRIED: Final = 2  # fresh ones in a row, before one gives up
_VALUES: Final = frozenset({"snapshot", "update", "resumed", "aggregate"})


class LiveClient:
    """
    Follows the live value of one account, of some, or of all that a token reaches.

    `token` is awaited before each connection, each round of polling, and when the server says that
    the last token runs out. Callbacks are plain functions and must not take long.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Callable[[], Awaitable[str]],
        account: str | None = None,
        accounts: Collection[str] | None = None,
        positions: bool = False,
        act_for: str | None = None,
        on_value: Callable[[Value], None] | None = None,
        on_aggregate: Callable[[Value], None] | None = None,
        on_state: Callable[[State, Problem], None] | None = None,
        on_problem: Callable[[Problem], None] | None = None,
        timing: Timing = USUAL,
    ) -> None:
        if account is not None and accounts is not None:
            raise TypeError("Name `account` or `accounts`.")
        self._url, self._token, self._timing = url.rstrip("/"), token, timing
        self._account = account
        self._accounts = None if accounts is None else list(accounts)
        self._detail = {"detail": "positions"} if positions else {}
        self._act_for = act_for
        self._on_value, self._on_aggregate = on_value, on_aggregate
        self._on_state, self._on_problem = on_state, on_problem
        self._book = Book()
        self._state: State = "stopped"
        self._problem: Problem = {}
        self._socket: ClientConnection | None = None
        self._following: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None
        self._stale_timer: asyncio.TimerHandle | None = None
        self._helpers: set[asyncio.Task[None]] = set()
        self._watchers: set[Watcher] = set()
        self._tries = self._tokens_refused = 0
        self._answered_at: float | None = None

    @property
    def state(self) -> State:
        """Say how things stand with the connection."""
        return self._state

    @property
    def aggregate(self) -> Value | None:
        """Return the last value of all accounts together."""
        return self._book.shown(None)

    @property
    def values(self) -> list[Value]:
        """List the last value of every account."""
        return [value for each in self._book.ids if (value := self._book.shown(each))]

    def value(self, account_id: str | None = None) -> Value | None:
        """Return the last value of an account; of the only one if none is named."""
        wanted = account_id or self._account or next(iter(self._book.ids), None)
        return None if wanted is None else self._book.shown(wanted)

    def start(self) -> None:
        """Begin, or go on after `stop`."""
        if not self._is_running:
            self._tries = self._tokens_refused = 0
            self._become("connecting")
            self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End; nothing is called back afterwards."""
        tasks = [task for task in (self._following, self._polling) if task]
        self._settle_down("stopped")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def __aiter__(self) -> AsyncIterator[Value]:
        """
        Give each value as it comes; whoever is slow gets the newest of each account.

        :raises Refused: the server will not have us.
        """
        watcher, is_ours = Watcher(), not self._is_running
        self._watchers.add(watcher)
        try:
            if is_ours:
                self.start()
            while True:
                watcher.has_news.clear()
                while watcher.waiting:
                    yield watcher.waiting.pop(next(iter(watcher.waiting)))
                if self._state == "refused":
                    raise Refused(self._problem)
                if self._state == "stopped":
                    return
                await watcher.has_news.wait()
        finally:
            self._watchers.discard(watcher)
            if is_ours:
                await self.stop()

    async def subscribe(self, account_ids: Collection[str]) -> None:
        """Follow further accounts."""
        if not account_ids:
            return
        self._accounts = list(dict.fromkeys([*self._several(), *account_ids]))
        await self._ask_for(account_ids)

    async def unsubscribe(self, account_ids: Collection[str]) -> None:
        """Follow some accounts no longer."""
        if not account_ids:
            return
        self._accounts = [each for each in self._several() if each not in set(account_ids)]
        self._book.keep_only(self._accounts)
        await self._send(type="unsubscribe", accounts=[*account_ids])

    async def _ask_for(self, account_ids: Collection[str], after: float = 0.0) -> None:
        """Have those of these told that are wanted by then."""
        await asyncio.sleep(after)
        if wanted := [each for each in account_ids if self._follows(each)]:
            more = {**self._detail, **self._resumes(wanted)}
            await self._send(type="subscribe", accounts=wanted, **more)

    # A connection

    async def _follow(self) -> None:
        """Connect again and again until the server refuses us for good."""
        while True:
            self._problem, self._answered_at = {}, None
            code = await self._stay()
            has_answered = self._answered_at is not None
            self._tokens_refused += code == problems.UNAUTHENTICATED and not has_answered
            is_final = problems.is_final(code, has_others=self._account is None and has_answered)
            if is_final or self._tokens_refused >= _TOKENS_TRIED:
                self._problem = {**self._problem, "code": code} if code else self._problem
                return self._settle_down("refused")
            await self._wait(code)

    async def _stay(self) -> int | None:
        """Follow one connection, and return the code with which the server has ended it."""
        try:
            async with asyncio.timeout(self._timing.connect_seconds) as deadline:
                token = await self._token()
                deadline.reschedule(_now() + self._timing.connect_seconds)
                await self._converse(token, deadline)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
        except (OSError, InvalidHandshake) as error:
            if self._answered_at is not None:  # nobody was heard for long: what is shown may be old
                self._tell_stale()
            self._complain(problems.not_connected(error))
        except Exception as error:
            logger.exception("A connection has failed.")
            self._complain({"error": "failed", "detail": str(error)})
        return None

    async def _converse(self, token: str, deadline: asyncio.Timeout) -> None:
        one = f"/{quote(self._account, safe='')}" if self._account else ""
        address = f"ws{self._url.removeprefix('http')}/ws/portfolio{one}"
        options: dict[str, Any] = {"open_timeout": None, "close_timeout": 1, "compression": None}
        async with connect(address, ping_interval=None, max_size=None, **options) as socket:
            self._socket = socket
            self._helpers.add(asyncio.create_task(self._beat()))
            try:
                await self._send(**self._greeting(token))
                while True:
                    self._receive(json.loads(await socket.recv(), parse_float=Decimal))
                    if self._answered_at is not None:
                        deadline.reschedule(_now() + self._timing.silence_seconds)
            finally:
                self._socket = None
                for task in self._helpers:
                    task.cancel()
                self._helpers.clear()

    def _greeting(self, token: str) -> dict[str, Any]:
        several = {} if self._accounts is None else {"accounts": self._accounts}
        named = {} if self._act_for is None else {"act_for": self._act_for}
        said = {"type": "auth", "token": token, **named, **self._detail}
        if self._account is None:
            return {**said, **several, **self._resumes(self._several())}
        place = self._book.resume(self._account)
        return said if place is None else {**said, "resume": place}

    def _resumes(self, account_ids: Collection[str]) -> dict[str, Any]:
        places = {each: place for each in account_ids if (place := self._book.resume(each))}
        return {"resume": places} if places else {}

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._timing.heartbeat_seconds)
            await self._send(type="heartbeat", timestamp=round(time.time(), 3))

    async def _send(self, **frame: Any) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):  # whoever reads from it hears that as well
                await self._socket.send(json.dumps(frame))

    def _receive(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind in _VALUES:
            self._answered()
            if self._follows(message["account_id"]):
                value = self._book.take(message)
                self._become("stale" if self._book.is_stale else "live")
                self._tell(value)
        elif kind == "subscribed":
            self._answered()
            self._book.keep_only(message["accounts"])
            self._become("stale" if self._book.is_stale else "live")
        elif kind == "expiring":
            self._helpers.add(asyncio.create_task(self._renew()))
        elif kind in {"draining", "error"}:
            self._heed(cast("Problem", message))

    def _heed(self, problem: Problem) -> None:
        """See what the server will not do, and ask again for what it only cannot do now."""
        self._complain(problem)
        refused = problem.get("accounts")
        is_error = problem["type"] == "error" and self._answered_at is not None
        if is_error and "retry_after" in problem:
            after = float(problem["retry_after"])
            again = self._renew(after) if refused is None else self._ask_for(refused, after)
            self._helpers.add(asyncio.create_task(again))

    def _answered(self) -> None:
        """Forget what was wrong before: the connection is good."""
        self._problem = {}
        if self._answered_at is None:
            self._answered_at, self._tokens_refused = _now(), 0
            self._rest()

    async def _renew(self, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        try:
            await self._send(type="auth", token=await self._token())
        except Exception as error:  # the next try asks again, once the old token has run out
            logger.exception("No new token could be had.")
            self._complain({"error": "not_renewed", "detail": str(error)})

    # Its end, and the next one

    async def _wait(self, code: int | None) -> None:
        """Wait before the next try, and poll meanwhile if that may take long."""
        timing = self._timing
        lasted = 0.0 if self._answered_at is None else _now() - self._answered_at
        self._tries = 1 if lasted >= timing.settled_seconds else self._tries + 1
        wait = wait_before(
            self._tries - 1,
            told=float(self._problem.get("retry_after") or 0),
            is_too_many=code == problems.TOO_MANY,
            timing=timing,
        )
        if self._state != "polling":
            if self._stale_timer is None:
                later = asyncio.get_running_loop().call_later
                self._stale_timer = later(timing.stale_after_seconds, self._tell_stale)
            self._become("connecting")
        is_long = wait > timing.stale_after_seconds
        if self._polling is None and (is_long or self._tries >= timing.tries_before_polling):
            self._polling = asyncio.create_task(self._poll())
        await asyncio.sleep(wait)

    def _rest(self) -> None:
        """End what only runs while no socket can be had."""
        if self._polling is not None:
            self._polling.cancel()
        self._unset_stale_timer()
        self._polling = None

    def _unset_stale_timer(self) -> None:
        if self._stale_timer is not None:
            self._stale_timer.cancel()
        self._stale_timer = None

    def _settle_down(self, state: State) -> None:
        if self._is_running:
            self._rest()
            if state == "refused":
                self._tell_stale()
            self._become(state)

    async def _poll(self) -> None:
        """Read values over HTTP, less often while that fails too."""
        timing, failures, told = self._timing, 0, 0.0
        async with Reader(self._url, act_for=self._act_for, timing=timing) as reader:
            while True:
                try:
                    await self._poll_once(reader)
                    failures, told = 0, 0.0
                except Exception as error:
                    if not isinstance(error, httpx.HTTPError):
                        logger.exception("Polling has failed.")
                    failures, told = failures + 1, problems.wait_told(error)
                    if self._state == "polling":
                        self._become("connecting")
                    self._tell_stale()
                await asyncio.sleep(wait_between_polls(failures, told=told, timing=timing))

    async def _poll_once(self, reader: Reader) -> None:
        async with asyncio.timeout(self._timing.connect_seconds):
            token = await self._token()
        wanted = [self._account] if self._account else self._accounts
        read = []
        async for record in reader.records(token, wanted or self._book.ids or wanted):
            read.append(record["account_id"])
            self._unset_stale_timer()
            self._become("polling")
            self._tell(self._book.take_polled(record))
        self._tell_stale(but=read)  # what nobody reads now, like the aggregate

    # What the application hears

    @property
    def _is_running(self) -> bool:
        return self._state not in {"stopped", "refused"}

    def _follows(self, account_id: str | None) -> bool:
        """Say whether it is to be told; what was on its way may have been given up meanwhile."""
        return account_id is None or self._accounts is None or account_id in self._accounts

    def _several(self) -> list[str]:
        """List the accounts to follow: those named, or those that the server has shown."""
        if self._account is not None:
            raise TypeError("This client follows one account.")
        return self._book.ids if self._accounts is None else self._accounts

    def _tell(self, value: Value | None) -> None:
        if value is None or not self._is_running:
            return
        call_back(self._on_aggregate if value["account_id"] is None else self._on_value, value)
        for watcher in self._watchers:
            watcher.waiting[value["account_id"]] = value
            watcher.has_news.set()

    def _tell_stale(self, *, but: Collection[str] = ()) -> None:
        for value in self._book.mark_stale(but=but):
            self._tell(value)

    def _become(self, state: State) -> None:
        if state != self._state:
            self._state = state
            call_back(self._on_state, state, self._problem)
            for watcher in self._watchers:
                watcher.has_news.set()

    def _complain(self, problem: Problem) -> None:
        named = [problem["account_id"]] if "account_id" in problem else problem.get("accounts")
        if named is None:
            self._problem = problem
        elif self._accounts is not None and "retry_after" not in problem:
            self._accounts = [each for each in self._accounts if each not in named]
        if problem.get("type") != "draining":
            call_back(self._on_problem, problem)


def _now() -> float:
    return asyncio.get_running_loop().time()
