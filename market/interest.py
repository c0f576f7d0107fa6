"""Symbols whose price was asked for are followed for a while, should they be asked for again."""

import time
from typing import Final

from core import realtime

KEY: Final = "clera:prices:asked"
MOST: Final = 500  # the newest; nobody can have the whole market followed by asking
_LASTS_SECONDS: Final = 600.0
_AGAIN_SECONDS: Final = 180.0
_noted: dict[str, float] = {}


def note(symbol: str) -> None:
    """
    Let the leader follow a symbol for a while; written once in some minutes by each process.

    :raises redis.RedisError: Redis is away.
    """
    now = time.monotonic()
    if now - _noted.get(symbol, float("-inf")) < _AGAIN_SECONDS:
        return
    realtime.connection().zadd(KEY, {symbol: time.time() + _LASTS_SECONDS})
    _noted[symbol] = now


def newest() -> frozenset[str]:
    """
    Return what was asked for lately, and forget what was before.

    :raises redis.RedisError: Redis is away.
    """
    with realtime.connection().pipeline(transaction=False) as pipe:
        pipe.zremrangebyscore(KEY, "-inf", time.time())
        pipe.zrevrange(KEY, 0, MOST - 1)
        _, found = pipe.execute()
    return frozenset(symbol.decode() for symbol in found)
