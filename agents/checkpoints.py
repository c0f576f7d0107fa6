"""Where the graph's steps are kept: PostgreSQL, in a schema of their own, sealed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast
from uuid import UUID

from django.conf import settings
from django.db import connections
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from agents.runtime import ConversationBusy
from core import crypto
from core.resealing import Place

SCHEMA: Final = "langgraph"
_CIPHER = "clera1"
_BOUND_TO = "langgraph.checkpoint"
_IS_SEALED: Final = "right(type, 7) = '+clera1'"  # LangGraph writes the cipher behind the kind
# What `PostgresSaver` needs, and connections that outlive no worker's idle hour.
CONNECTION_OPTIONS: Final[dict[str, Any]] = {
    "autocommit": True,
    "prepare_threshold": 0,
    "row_factory": dict_row,
}
Pool = ConnectionPool[Connection[DictRow]]

_lock = threading.Lock()
_pools: dict[str, Pool] = {}


class _Cipher:
    """Seals checkpoints as `core.crypto` seals columns: they hold whatever a customer typed."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return _CIPHER, crypto.seal(plaintext, bound_to=_BOUND_TO)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        if ciphername != _CIPHER:
            raise crypto.Unsealable
        return crypto.unseal(ciphertext, bound_to=_BOUND_TO)


def saver(connection: Connection[DictRow] | None = None) -> PostgresSaver:
    """Make a checkpointer over this process's pool, or over one given connection."""
    strict = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
    return PostgresSaver(connection or _pool(), serde=EncryptedSerializer(_Cipher(), strict))


def places() -> list[Place]:
    """Name the columns that hold sealed checkpoints, for `core.resealing`."""
    step = ("thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx")
    keys = {
        "checkpoint_blobs": ("thread_id", "checkpoint_ns", "channel", "version"),
        "checkpoint_writes": step,
    }
    return [
        Place(f"{SCHEMA}.{table}", "blob", key, words=lambda _key: _BOUND_TO, holds=_IS_SEALED)
        for table, key in keys.items()
    ]


@contextmanager
def one_turn_at_a_time(conversation_id: UUID) -> Iterator[None]:
    """
    Hold the conversation for one turn; a dead process lets go with its connection.

    :raises ConversationBusy: another turn holds it.
    """
    with _pool().connection() as connection:
        name = f"{SCHEMA}:{conversation_id}"
        taken = connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS taken", [name]
        ).fetchone()
        if taken is None or not taken["taken"]:
            raise ConversationBusy
        try:
            yield
        finally:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def connection_parameters(*, as_owner: bool = False) -> dict[str, Any]:
    """Take Django's own connection parameters, with our schema and the same role or none."""
    parameters: dict[str, Any] = connections["default"].get_connection_params()
    wanted = {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"}
    options = "" if as_owner else parameters.get("options", "")
    return {name: value for name, value in parameters.items() if name in wanted} | {
        "options": f"{options} -c search_path={SCHEMA}".strip(),
        "application_name": "clera-agents",
        "connect_timeout": settings.VENDOR_CONNECT_SECONDS,
    }


def _pool() -> Pool:
    """Return the pool to today's database; made at first use, so after any fork."""
    parameters = connection_parameters()
    name = f"{parameters.get('host')}/{parameters.get('dbname')}"
    with _lock:
        if name not in _pools:
            _pools[name] = cast(
                Pool,
                ConnectionPool(
                    kwargs=parameters | CONNECTION_OPTIONS,
                    min_size=0,
                    # A turn holds one connection for its lock and uses another for its steps.
                    max_size=2 * settings.DATABASE_POOL_SIZE,
                    timeout=settings.DATABASE_POOL_TIMEOUT_SECONDS,
                    max_idle=60,
                    open=True,
                    name="langgraph",
                ),
            )
        return _pools[name]


def close() -> None:
    """Close every pool; the next use opens a new one."""
    with _lock:
        while _pools:
            _pools.popitem()[1].close()
