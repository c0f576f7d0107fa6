"""How often somebody may ask: exact moving windows in Redis, shared by every process."""

import threading
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

import redis
import structlog
from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.errors import CleraError, ServiceBusy

logger = structlog.get_logger()
# What may not go uncounted: with Redis away these are refused, and everything else passes.
CLOSED_UNCOUNTED: Final = frozenset({"money", "sign_up"})
# A service asks for many customers, so its credential has windows of its own size.
OF_SERVICES: Final = "service."
AWAY_SECONDS: Final = 2
_KEY_PREFIX: Final = "clera:rate"
# More than the threads that ever count at once; a call takes a fraction of a millisecond.
_CONNECTIONS: Final = 32


class Throttled(CleraError):
    """The window is full; its oldest entry leaves it after `retry_after_seconds`."""

    code = "throttled"
    status = 429
    detail = "Too many requests. Try again after the seconds that Retry-After names."

    def __init__(self, rate: str, item: RateLimitItem, *, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds)
        self.headers = {
            "RateLimit-Policy": f'"{rate}";q={item.amount};w={item.get_expiry()}',
            "RateLimit": f'"{rate}";r=0;t={retry_after_seconds}',
        }


def spend(rate: str, *, whose: str, count: int = 1) -> None:
    """
    Count one more, or all of several, of what the class `rate` allows for the window's holder.

    :raises Throttled: the window has no room for it, and nothing was counted.
    :raises ServiceBusy: it cannot be counted and the class may not go uncounted.
    """
    item, windows = _item(rate), _windows(settings.REDIS_URL)
    try:
        wait = windows.hit(item, rate, whose, count=count)
    except _Away as away:
        if rate.removeprefix(OF_SERVICES) in CLOSED_UNCOUNTED:
            raise ServiceBusy(retry_after_seconds=AWAY_SECONDS) from away
        return
    _refuse_if(wait, rate, item)


def check(rate: str, *, whose: str) -> None:
    """
    Look whether there is room in a window, and count nothing.

    :raises Throttled: the window is full.
    """
    item, windows = _item(rate), _windows(settings.REDIS_URL)
    try:
        wait = windows.look(item, rate, whose)
    except _Away:
        return
    _refuse_if(wait, rate, item)


def _refuse_if(wait: int, rate: str, item: RateLimitItem) -> None:
    if wait:
        logger.info("rate_limit.refused", rule=rate, retry_after_seconds=wait)
        raise Throttled(rate, item, retry_after_seconds=wait)


class _Away(Exception):
    """Redis does not answer, or has not answered a moment ago."""


class _Windows:
    """
    The windows that one Redis holds.

    While it is away one caller looks for it every two seconds, and nobody else waits for it.
    """

    def __init__(self, url: str) -> None:
        timeout = settings.RATE_LIMIT_TIMEOUT_MS / 1000
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # At once, and only for a connection that died while it was idle.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        storage = RedisStorage("redis://", connection_pool=pool, key_prefix=_KEY_PREFIX)
        self._limiter = MovingWindowRateLimiter(storage)
        self._lock = threading.Lock()
        self._look_again_at: float | None = None

    def hit(self, item: RateLimitItem, *whose: str, count: int = 1) -> int:
        """
        Count so many and return 0, or count nothing and return the seconds until there is room.

        :raises _Away: nothing could be counted.
        """
        return self._wait(partial(self._limiter.hit, cost=count), item, *whose)

    def look(self, item: RateLimitItem, *whose: str) -> int:
        """
        Return 0, or the seconds until there is room.

        :raises _Away: nobody can tell.
        """
        return self._wait(self._limiter.test, item, *whose)

    def _wait(self, has_room: Callable[..., bool], item: RateLimitItem, *whose: str) -> int:
        if not self._may_look():
            raise _Away
        try:
            wait = 0 if has_room(item, *whose) else self._seconds_left(item, *whose)
        except redis.RedisError as error:
            self._note_away(error)
            raise _Away from error
        self._look_again_at = None
        return wait

    def _seconds_left(self, item: RateLimitItem, *whose: str) -> int:
        """Round up past the moment at which the oldest entry leaves: never a second too early."""
        reset_at = self._limiter.get_window_stats(item, *whose).reset_time
        return max(0, int(reset_at - time.time())) + 1

    def _may_look(self) -> bool:
        if self._look_again_at is None:
            return True
        with self._lock:
            now = time.monotonic()
            if self._look_again_at is not None and now < self._look_again_at:
                return False
            self._look_again_at = now + AWAY_SECONDS  # the others go on while this one looks
            return True

    def _note_away(self, error: redis.RedisError) -> None:
        with self._lock:
            was_known = self._look_again_at is not None
            self._look_again_at = time.monotonic() + AWAY_SECONDS
        if not was_known:
            logger.warning("rate_limit.not_counted", error=type(error).__name__)


@lru_cache(maxsize=4)
def _windows(url: str) -> _Windows:
    """Return this process's windows in the Redis at a URL."""
    return _Windows(url)


def _item(rate: str) -> RateLimitItem:
    return _parsed(settings.RATE_LIMITS[rate])


@lru_cache(maxsize=128)
def _parsed(text: str) -> RateLimitItem:
    return parse(text)
