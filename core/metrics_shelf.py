"""Where processes that nobody can ask over HTTP leave their figures for those that can be asked."""

from typing import Any, Final

import redis
from prometheus_client import generate_latest

from core import metrics

_NAMES: Final = "clera:metrics"
_TEXT: Final = "clera:metrics:{process}"
_KEPT_SECONDS: Final = 15


def put(process: str, connection: "redis.Redis") -> None:
    """Leave this process's figures under its name; they vanish soon after it does."""
    with connection.pipeline(transaction=False) as pipe:
        pipe.sadd(_NAMES, process)
        pipe.set(_TEXT.format(process=process), generate_latest(metrics.REGISTRY), ex=_KEPT_SECONDS)
        pipe.execute()


def read_all(connection: "redis.Redis") -> dict[str, bytes]:
    """Return what lies here, by the name of the process."""
    members: Any = connection.smembers(_NAMES)  # its type allows for asynchronous clients
    names = sorted(name.decode() for name in members)
    if not names:
        return {}
    texts: Any = connection.mget([_TEXT.format(process=name) for name in names])
    return {name: text for name, text in zip(names, texts, strict=True) if text is not None}
