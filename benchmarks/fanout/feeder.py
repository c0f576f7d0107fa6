"""Hands a relay its finished texts over Redis, as cheaply as that can be done."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

Texts = Callable[[int], bytes]
FIRST_SEQ = 1_000_000


class Feeder:
    """
    Publishes finished texts on Redis, as cheaply as that can be done.

    The commands are written before the clock runs, and their answers switched off: whoever is
    handed texts shall not wait for us to make them.
    """

    def __init__(self, texts: Texts, *, is_batch: bool) -> None:
        address = urlsplit(os.environ["REDIS_URL"])
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._variants = [_commands(texts(FIRST_SEQ + n), is_batch=is_batch) for n in range(4)]

    def __enter__(self) -> Self:
        password = urlsplit(os.environ["REDIS_URL"]).password
        if password:
            self._socket.sendall(_command(b"AUTH", password.encode()))
            self._socket.recv(1024)
        self._socket.sendall(_command(b"CLIENT", b"REPLY", b"OFF"))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def publish(self, seq: int) -> None:
        """Hand over the texts of a frame."""
        variant = (seq - FIRST_SEQ) % 4
        told = b'"seq":%d,' % (FIRST_SEQ + variant)
        data = self._variants[variant].replace(told, b'"seq":%d,' % seq)
        await asyncio.get_running_loop().run_in_executor(None, self._socket.sendall, data)


def _commands(lines: bytes, *, is_batch: bool) -> bytes:
    if is_batch:
        return _command(b"PUBLISH", b"relay", lines.rstrip(b"\n"))
    pairs = [line.split(b"\t") for line in lines.splitlines()]
    return b"".join(_command(b"PUBLISH", b"relay:" + account, text) for account, text in pairs)


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
