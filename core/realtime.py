"""Notices between processes over Redis: small, rare, and never the only news of anything."""

import json
from functools import lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = structlog.get_logger()
ACCOUNT_CHANGED = "clera:account-changed"


@lru_cache(maxsize=1)
def connection() -> "redis.Redis":
    """
    Return this process's Redis client; it reconnects by itself and times out after 2 s.

    One retry, at once, is for a connection that died while it was idle. The library's own default
    waits several seconds more when Redis is away, and a request would wait with it.
    """
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=2,
        socket_connect_timeout=2,
        decode_responses=False,
        retry=Retry(NoBackoff(), 1),
    )


def tell(channel: str, **payload: Any) -> None:
    """
    Publish a notice to whichever processes listen now.

    With Redis away the notice is lost and logged; listeners reload everything on reconnecting.
    """
    try:
        connection().publish(channel, json.dumps(payload))
    except redis.RedisError as error:
        logger.warning("notice.lost", channel=channel, error=type(error).__name__)


def account_changed(account_id: str) -> None:
    """Say that an account's positions or cash are not what they were."""
    tell(ACCOUNT_CHANGED, account_id=account_id)
