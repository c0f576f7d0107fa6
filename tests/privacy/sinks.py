"""Where data can come to rest, or pass by: each gives the names of places and their bytes."""

import base64
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import redis
from psycopg.sql import SQL, Identifier

Sink = Iterator[tuple[str, bytes]]

_LONGEST_NAME = 10
_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1, 2
"""


def tables(url: str) -> Sink:
    """Give every row of every table as text, as the owner, who sees them all; bytes are in hex."""
    with psycopg.connect(url) as connection:
        for schema, table in connection.execute(_TABLES).fetchall():
            query = SQL("COPY (SELECT row::text FROM {} AS row) TO STDOUT")
            with connection.cursor().copy(query.format(Identifier(schema, table))) as rows:
                yield f"table {schema}.{table}", b"".join(map(bytes, rows))


def disk(data: Path, *, since: float) -> Sink:
    """Give what a PostgreSQL has written into its files, what rows were before included."""
    for folder in ("base", "pg_wal"):
        for path in sorted((data / folder).rglob("*")):
            with suppress(FileNotFoundError):  # PostgreSQL tidies up meanwhile
                if path.is_file() and path.stat().st_mtime >= since:
                    yield f"disk {folder}/{path.name}", path.read_bytes()


def lines(path: Path, *, name: str) -> Sink:
    """Give what one process has printed, or several behind their names, by process."""
    by_process: dict[str, list[bytes]] = {}
    for line in path.read_bytes().splitlines():
        before, bar, _ = line.partition(b" |")
        process = before.decode().strip() if bar and len(before) < _LONGEST_NAME else ""
        by_process.setdefault(process, []).append(line)
    for process, printed in by_process.items():
        yield f"log {name} {process}".strip(), b"\n".join(printed)


def prompts(sandbox: str) -> Sink:
    """Give what the pretend model was sent."""
    answer = httpx.get(f"{sandbox}/_control/prompts", trust_env=False, timeout=60)
    for number, prompt in enumerate(answer.raise_for_status().json()["prompts"]):
        yield f"prompt {number}", json.dumps(prompt).encode()


def keys(url: str) -> Sink:
    """Give every key of Redis with what it holds."""
    client: Any = redis.Redis.from_url(url)
    try:
        for key in client.scan_iter(count=1000):
            yield f"redis {key.decode(errors='replace')}", key + b"\n" + _held(client, key)
    finally:
        client.close()


def _held(client: Any, key: bytes) -> bytes:
    read = {
        b"string": lambda: client.get(key),
        b"hash": lambda: client.hgetall(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1, withscores=True),
        b"stream": lambda: client.xrange(key),
        b"none": lambda: b"",  # it has just expired
    }
    return _flat(read[client.type(key)]())


def _flat(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return b"\n".join(_flat(pair) for pair in value.items())
    if isinstance(value, list | tuple | set):
        return b"\n".join(map(_flat, value))
    return str(value).encode()


# As MONITOR shows the message of a task: its body is JSON in base64 in JSON in quotes.
_TASK_BODY = re.compile(rb'\\"body\\": \\"([A-Za-z0-9+/=]+)\\"')


class Commands:
    """Every command that a Redis gets, from the moment it is asked."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port), timeout=10)
        if where.password:
            self._socket.sendall(f"AUTH {where.password}\r\n".encode())
            assert self._socket.recv(64).startswith(b"+OK")
        self._socket.sendall(b"MONITOR\r\n")
        assert self._socket.recv(64).startswith(b"+OK")
        self._socket.settimeout(None)
        self._seen = bytearray()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while part := self._socket.recv(1 << 20):
            self._seen += part

    def stop(self) -> None:
        with suppress(OSError):  # it has been stopped before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def sink(self) -> Sink:
        """Give the commands by kind, and once more what they say to workers."""
        by_kind: dict[str, list[bytes]] = {}
        for line in bytes(self._seen).splitlines():
            words = line.split(b'"')
            by_kind.setdefault(words[1].decode() if len(words) > 1 else "", []).append(line)
        for kind, seen in by_kind.items():
            yield f"redis command {kind}", b"\n".join(seen)
        yield "task arguments", json.dumps(self.tasks()).encode()

    def tasks(self) -> list[Any]:
        """Give the arguments of every task that was queued: a list, and those with a name."""
        bodies = map(base64.b64decode, set(_TASK_BODY.findall(bytes(self._seen))))
        return [json.loads(body)[:2] for body in bodies if body.startswith(b"[")]


@contextmanager
def commands_of(url: str) -> Iterator[Commands]:
    """Listen until the block ends, or until somebody stops it."""
    commands = Commands(url)
    try:
        yield commands
    finally:
        commands.stop()
