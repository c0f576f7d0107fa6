"""The broker itself: its books, its agenda, and how it receives a request."""

import base64
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sandbox.answers import Refusal, json_answer
from sandbox.broker.agenda import Agenda, Step
from sandbox.broker.books import Books
from sandbox.broker.hub import Hub
from sandbox.broker.records import Account
from sandbox.faults import Fault
from sandbox.world import World

VENDOR = "alpaca_broker"
NEW_YORK = ZoneInfo("America/New_York")
_CLIENT_LEFT = 499

logger = logging.getLogger("sandbox.broker")


class Broker:
    """One pretend broker, with all its customers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.books = Books(world.store)
        self.hub = Hub(world.store)
        self.agenda = Agenda(world.clock)
        self.requests = RequestCount(world)
        # What something cost in the past never changes, so histories look it up once.
        self.past_prices: dict[tuple[str, datetime], Decimal] = {}
        # What else must start empty after a reset, or has something to do at once.
        world.jobs.append(self.agenda.run)
        world.settle_hooks.append(self.agenda.run_due)
        world.reset_hooks.append(self._forget)
        world.faults.listeners.append(self.hub.wake)

    def _forget(self) -> None:
        self.agenda.clear()
        self.books.empty()
        self.hub.clear()
        self.past_prices.clear()

    def now(self) -> datetime:
        """Tell the simulated time."""
        return self.world.clock.now()

    def later(self, at: datetime, seconds: float, step: Step) -> None:
        """Do a step so many simulated seconds after a moment."""
        self.agenda.add(at + timedelta(seconds=seconds), step)

    def account(self, account_id: str) -> Account:
        """
        Find an account.

        :raises Refusal: there is none.
        """
        found = self.books.accounts.get(account_id.lower())
        if found is None:
            raise Refusal(404, 40410000, "account not found")
        return found

    def active_account(self, account_id: str) -> Account:
        """
        Find an account that may trade and move money.

        :raises Refusal: there is none, or it is not active.
        """
        account = self.account(account_id)
        if account.status != "ACTIVE":
            raise Refusal(403, 40310000, f"account is not active (status: {account.status})")
        return account

    def treatment(self, *kinds: str) -> str:
        """Ask the fault plan whether to behave in one of these rarer ways."""
        fault = self.mishap(*kinds)
        return "" if fault is None else fault.kind

    def mishap(self, *kinds: str, subject: str = "") -> Fault | None:
        """Use up a fault of one of these kinds; its `path` may name the subject."""
        return self.world.faults.take("behaviour", kinds=set(kinds), vendor=VENDOR, path=subject)


class RequestCount:
    """The request limit, counted per minute of real time, as its headers tell."""

    def __init__(self, world: World) -> None:
        self._limit = world.settings.requests_per_minute
        self._minute = 0
        self._used = 0

    def use(self, at_seconds: float) -> dict[str, str]:
        """
        Count one request and give the headers of its answer.

        :raises Refusal: the limit of this minute is used up.
        """
        minute = int(at_seconds // 60)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += 1
        if self._used > self._limit:
            refusal = Refusal(429, 42910000, "too many requests.")
            refusal.headers["retry-after"] = "1"
            raise refusal
        return {
            "x-ratelimit-limit": str(self._limit),
            "x-ratelimit-remaining": str(self._limit - self._used),
            "x-ratelimit-reset": str((minute + 1) * 60),
        }


Handler = Callable[[Broker, Request], Awaitable[Any]]


def serve(broker: Broker, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Turn a handler into an endpoint: check the key, count, and word every answer as JSON."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        headers: dict[str, str] = {}
        try:
            _check_key(broker, request)
            headers = broker.requests.use(datetime.now(NEW_YORK).timestamp())
            answer = await handler(broker, request)
        except Refusal as refusal:
            return json_answer(refusal.body, refusal.status, headers | refusal.headers)
        except ClientDisconnect:
            return Response(status_code=_CLIENT_LEFT)
        except Exception:
            logger.exception("a request failed inside the pretend broker")
            body = {"code": 50010000, "message": "internal server error occurred"}
            return json_answer(body, 500)
        if not isinstance(answer, Response):
            return json_answer(answer, headers=headers)
        answer.headers.update(headers)
        return answer

    return endpoint


def _check_key(broker: Broker, request: Request) -> None:
    """
    Compare the Basic credentials with the sandbox's own.

    :raises Refusal: they are missing or wrong.
    """
    settings = broker.world.settings
    pair = f"{settings.broker_key}:{settings.broker_secret}".encode()
    expected = b"Basic " + base64.b64encode(pair)
    given = request.headers.get("authorization", "").encode()
    if not given:
        raise Refusal(401, 40110000, "request is not authorized")
    if not secrets.compare_digest(expected, given):
        raise Refusal(403, 40310000, "forbidden.")
