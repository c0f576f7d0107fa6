"""Facts about whether this deployment can work: its stores, its workers, its prices."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from core import realtime

HEARTBEAT_KEY = "clera:heartbeat:worker:{queue}"
PRICES_KEY = "clera:prices:as_of"
QUEUES = ("money", "default", "agents")
HEARTBEAT_LIMIT_SECONDS = 30
PRICES_LIMIT_SECONDS = 60
_FORGET_HEARTBEAT_SECONDS = 600
SHARED_ENVIRONMENTS = frozenset({"production", "staging"})
_LOGIN_OWNS = """
    SELECT pg_has_role(session_user, relowner, 'MEMBER') FROM pg_class
     WHERE oid = 'core_auditentry'::regclass
"""


@dataclass(frozen=True)
class Check:
    """
    What one check found.

    A check that is not required informs: prices stand still whenever the markets are closed.
    """

    name: str
    is_ok: bool
    is_required: bool = True
    age_seconds: int | None = None
    reason: str | None = None


def beat_heartbeat(*, queue: str, at: datetime) -> None:
    """Write that a worker of this queue has just worked."""
    realtime.connection().set(
        HEARTBEAT_KEY.format(queue=queue), int(at.timestamp()), ex=_FORGET_HEARTBEAT_SECONDS
    )


def check_all(*, at: datetime) -> list[Check]:
    """Run every check; each answers within its own short timeout."""
    checks = [_check_database(), _check_redis()]
    if checks[0].is_ok and settings.ENVIRONMENT in SHARED_ENVIRONMENTS:
        checks.append(_check_login())
    if checks[1].is_ok:
        checks += [_check_worker(queue, at=at) for queue in QUEUES]
        checks.append(_check_prices(at=at))
    return checks


def _check_database() -> Check:
    return _attempt("database", DatabaseError, _ask_database)


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_login() -> Check:
    """Say whether `RESET ROLE` would lead to the owner of the tables, whom no policy binds."""
    with connection.cursor() as cursor:
        cursor.execute(_LOGIN_OWNS)
        row = cursor.fetchone()
    is_owner = bool(row and row[0])
    reason = "logs in as the tables' owner; see docs/deployment.md" if is_owner else None
    return Check("database login", is_ok=not is_owner, is_required=False, reason=reason)


def _check_redis() -> Check:
    return _attempt("redis", redis.RedisError, lambda: realtime.connection().ping())


def _attempt(name: str, failure: type[Exception], ask: Callable[[], object]) -> Check:
    try:
        ask()
    except failure as error:
        return Check(name, is_ok=False, reason=type(error).__name__)
    return Check(name, is_ok=True)


def _check_worker(queue: str, *, at: datetime) -> Check:
    age = _age_of(HEARTBEAT_KEY.format(queue=queue), at=at)
    return _judge(f"worker:{queue}", age, limit=HEARTBEAT_LIMIT_SECONDS, is_required=True)


def _check_prices(*, at: datetime) -> Check:
    return _judge(
        "prices", _age_of(PRICES_KEY, at=at), limit=PRICES_LIMIT_SECONDS, is_required=False
    )


def _judge(name: str, age: int | None, *, limit: int, is_required: bool) -> Check:
    if age is None:
        return Check(name, is_ok=False, is_required=is_required, reason="never seen")
    reason = None if age <= limit else "too old"
    return Check(name, age <= limit, is_required, age, reason)


def _age_of(key: str, *, at: datetime) -> int | None:
    """Tell how many seconds ago the unix time under this key was, if there is one."""
    try:
        value = realtime.connection().get(key)
        return None if value is None else max(0, int(at.timestamp() - float(value)))
    except (redis.RedisError, ValueError):
        return None
