"""
The one way to a vendor: httpx with a total deadline, one host, no redirects, no retries.

Every call ends in an answer or in one of three errors (`core.errors`): certainly no effect, a
clear no, or unclear. It refuses to run while a database transaction is open, since a slow vendor
would hold its locks and a roll-back would forget what the vendor has done.
"""

import atexit
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import simplejson
import structlog
from django.conf import settings
from django.db import connection

from core import exact_json
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.vendors.deadline import DeadlineTransport, deadline
from core.vendors.quoting import without_numbers, without_values

logger = structlog.get_logger()
MAX_ANSWER_BYTES = 8 * 1024 * 1024
_CONNECTIONS = 20
_LONGEST_MESSAGE = 2000
_MESSAGE_LIMIT = 200
_LONGEST_RETRY_SECONDS = 3600


class OpenTransaction(RuntimeError):
    """The caller is about to talk to a vendor inside a database transaction."""


@dataclass(frozen=True)
class Vendor:
    """Where a vendor is and how it knows us."""

    name: str
    base_url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class File:
    """What a vendor keeps as a file."""

    mime_type: str
    content: bytes = field(repr=False)


class Transport:
    """
    Calls one vendor.

    `read` is for calls without effect and `write` for all others; they differ in what a failure
    means. Numbers in answers arrive as `Decimal`, exactly as the vendor wrote them.
    """

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._base = httpx.URL(vendor.base_url)
        self._client = httpx.Client(
            transport=DeadlineTransport(max_connections=_CONNECTIONS),
            auth=vendor.basic,
            headers=dict(vendor.headers),
            follow_redirects=False,
            timeout=httpx.Timeout(
                settings.VENDOR_TOTAL_SECONDS, connect=settings.VENDOR_CONNECT_SECONDS
            ),
            trust_env=False,
        )

    def read(
        self, path: str, *, method: str = "GET", is_personal: bool = False, **parts: Any
    ) -> Any:
        """
        Fetch something that leaves no trace at the vendor.

        :param is_personal: the body is about a person; a refusal must not repeat any of it.
        :raises VendorUnavailable: no usable answer; reading again is harmless.
        :raises VendorRejected: the vendor answered with a clear no (4xx).
        """
        try:
            secret = parts.get("json") if is_personal else None
            return self._call(method, path, secret=secret, **parts)
        except VendorUnclear as error:
            raise VendorUnavailable(
                self.vendor.name, error.detail, http_status=error.http_status
            ) from error

    def write(
        self,
        method: str,
        path: str,
        *,
        is_personal: bool = False,
        begins_within: float | None = None,
        **parts: Any,
    ) -> Any:
        """
        Ask the vendor to do something, exactly once and never again by itself.

        :param is_personal: the body is about a person; a refusal must not repeat any of it.
        :param begins_within: seconds after which it is no longer sent, wherever it was held up.
        :raises VendorUnavailable: it certainly did nothing.
        :raises VendorRejected: it said no.
        :raises VendorUnclear: it may have done it.
        """
        secret = parts.get("json") if is_personal else None
        return self._call(method, path, secret=secret, begins_within=begins_within, **parts)

    def fetch(self, path: str) -> File:
        """
        Fetch a file, following one redirection to where the vendor keeps it.

        Our credentials stay behind: they are for the vendor's host, and the link is signed.

        :raises VendorUnavailable: no usable answer; reading again is harmless.
        :raises VendorRejected: the vendor answered with a clear no (4xx).
        """
        _refuse_open_transaction()
        request = self._client.build_request("GET", self._url(path))
        try:
            with deadline(settings.VENDOR_TOTAL_SECONDS):
                response, body = self._exchange(request)
                if response.is_redirect:
                    response, body = self._exchange(self._redirected(response), auth=None)
                    if not response.is_success:  # the link is stale: no word on our request
                        raise self._unclear(f"HTTP {response.status_code}")
            if not response.is_success:
                self._judge(response, body)
        except VendorUnclear as error:
            raise self._unavailable(error.detail) from error
        return File(response.headers.get("content-type", ""), body)

    def _redirected(self, response: httpx.Response) -> httpx.Request:
        location = response.headers.get("location", "")
        try:
            target = self._base.join(location)
        except httpx.InvalidURL as error:
            raise self._unavailable("it leads nowhere") from error
        own_origin = (self._base.scheme, self._base.host, self._base.port)
        if not location:
            raise self._unavailable("it leads nowhere")
        if target.scheme != "https" and (target.scheme, target.host, target.port) != own_origin:
            raise self._unavailable("it leads to an unsafe address")
        return httpx.Request("GET", target)

    @contextmanager
    def events(self, path: str, *, params: Mapping[str, str]) -> Iterator[httpx.Response]:
        """
        Open a stream of server-sent events; silence longer than the setting ends it.

        :raises VendorUnavailable: it cannot be opened.
        """
        _refuse_open_transaction()
        timeout = httpx.Timeout(
            settings.VENDOR_STREAM_SILENCE_SECONDS, connect=settings.VENDOR_CONNECT_SECONDS
        )
        headers = {"accept": "text/event-stream", "cache-control": "no-cache"}
        request = self._client.build_request(
            "GET", self._url(path), params=dict(params), headers=headers, timeout=timeout
        )
        try:
            response = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._unavailable(type(error).__name__) from error
        try:
            if response.status_code != httpx.codes.OK:
                raise self._unavailable(f"HTTP {response.status_code}")
            yield response
        finally:
            response.close()

    def close(self) -> None:
        """Close the connections kept for reuse."""
        self._client.close()

    def _url(self, path: str) -> httpx.URL:
        """Join a path to the vendor's base; nothing can lead to another host."""
        if not path.startswith("/"):
            raise ValueError("A vendor path starts with a slash.")
        return self._base.copy_with(raw_path=(self._base.path.rstrip("/") + path).encode())

    def _call(
        self,
        method: str,
        path: str,
        *,
        secret: Any = None,
        begins_within: float | None = None,
        **parts: Any,
    ) -> Any:
        _refuse_open_transaction()
        headers: dict[str, str] = dict(parts.pop("headers", None) or {})
        if "json" in parts:
            parts["content"] = simplejson.dumps(parts.pop("json"), use_decimal=True).encode()
            headers["content-type"] = "application/json"
        request = self._client.build_request(method, self._url(path), headers=headers, **parts)
        with deadline(settings.VENDOR_TOTAL_SECONDS, begins_within=begins_within):
            response, body = self._exchange(request)
        return self._judge(response, body, secret=secret)

    def _exchange(self, request: httpx.Request, **how: Any) -> tuple[httpx.Response, bytes]:
        try:
            response = self._client.send(request, stream=True, **how)
            try:
                return response, self._body_of(response)
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._unavailable(type(error).__name__) from error
        except httpx.HTTPError as error:
            raise self._unclear(type(error).__name__) from error

    def _body_of(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise self._unclear("The answer is too large.")
        return bytes(body)

    def _judge(self, response: httpx.Response, body: bytes, *, secret: Any = None) -> Any:
        status = response.status_code
        if status == httpx.codes.NO_CONTENT:
            return None
        if response.is_success:
            return self._parse(body, status)
        if status in {401, 429}:  # not let in, or not now
            raise self._unavailable(f"HTTP {status}", retry_after=_retry_after(response))
        if response.is_client_error and status not in {408, 425}:
            raise self._rejected(status, body, secret=secret)
        raise self._unclear(f"HTTP {status}", status)

    def _parse(self, body: bytes, status: int) -> Any:
        try:
            answer = simplejson.loads(body, use_decimal=True)
            if b"\\u" in body:  # only so can JSON write what the database cannot hold
                exact_json.refuse_characters(answer)
        except (ValueError, RecursionError) as error:
            raise self._unclear("The answer is not JSON.", status) from error
        return answer

    def _rejected(self, status: int, body: bytes, *, secret: Any) -> VendorRejected:
        try:
            answer = simplejson.loads(body)
        except (ValueError, RecursionError):
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        code = answer.get("code") or answer.get("error_code") or status
        message = str(answer.get("message") or answer.get("error_message") or f"HTTP {status}")
        if secret is not None:
            message = without_values(message[:_LONGEST_MESSAGE], secret)
        return VendorRejected(
            self.vendor.name,
            without_numbers(message)[:_MESSAGE_LIMIT],
            vendor_code=str(code),
            http_status=status,
        )

    def _unavailable(self, why: str, *, retry_after: int | None = None) -> VendorUnavailable:
        return VendorUnavailable(
            self.vendor.name,
            f"{self.vendor.name} is not reachable ({why}).",
            retry_after_seconds=retry_after,
        )

    def _unclear(self, why: str, status: int | None = None) -> VendorUnclear:
        return VendorUnclear(
            self.vendor.name,
            f"{self.vendor.name} gave no clear answer ({why}).",
            http_status=status,
        )


def _retry_after(response: httpx.Response) -> int | None:
    text = response.headers.get("retry-after", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return _LONGEST_RETRY_SECONDS if len(text) > 4 else min(int(text), _LONGEST_RETRY_SECONDS)  # noqa: PLR2004


def _refuse_open_transaction() -> None:
    """Refuse inside `atomic`, except in the transaction a test case wraps around everything."""
    blocks = [
        block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)
    ]
    if blocks:
        raise OpenTransaction("Close the database transaction before calling a vendor.")


_lock = threading.Lock()
_transports: dict[Vendor, Transport] = {}


def transport_for(vendor: Vendor) -> Transport:
    """Return this process's transport to the vendor, so that connections are reused."""
    with _lock:
        if vendor not in _transports:
            _transports[vendor] = Transport(vendor)
            atexit.register(_transports[vendor].close)
        return _transports[vendor]
