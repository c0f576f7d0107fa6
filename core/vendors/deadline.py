"""A wall-clock deadline for one HTTP exchange; httpx's own timeouts are per read."""

import ssl
import threading
import time
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import httpcore
import httpx

_state = threading.local()


@contextmanager
def deadline(seconds: float, *, begins_within: float | None = None) -> Iterator[None]:
    """
    Let every network operation of this thread end, in all, within `seconds`.

    With `begins_within` the request does not leave at all once so many seconds have gone by, as
    they may while it waits for a free connection or for a new one.
    """
    begun = time.monotonic()
    _state.ends = begun + seconds
    _state.begins_until = None if begins_within is None else begun + begins_within
    try:
        yield
    finally:
        _state.ends = _state.begins_until = None


def _begin() -> None:
    until = getattr(_state, "begins_until", None)
    if until is None:
        return
    if time.monotonic() > until:
        raise httpcore.ConnectTimeout("It is too late to begin.")
    _state.begins_until = None


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    ends = getattr(_state, "ends", None)
    if ends is None:
        return timeout
    left: float = ends - time.monotonic()
    if left <= 0:
        raise error("The deadline for the whole exchange has passed.")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        _begin()
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> typing.Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options))


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's transport, its sockets bound by the deadline of the calling thread."""

    def __init__(self, *, max_connections: int) -> None:
        super().__init__(retries=0, trust_env=False)
        # httpx has no public way to pass a network backend to the pool it makes.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=4.0,
            retries=0,
            network_backend=_Backend(),
        )
