"""A customer's view of the API: plain HTTP and one socket, every exchange shown as it happens."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import simplejson
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

Show = Callable[[str], None]
# What a terminal need not keep in its scroll-back.
HIDDEN = {"tax_id", "bankAccountNumber", "access_token"}
LONGEST_ANSWER = 900


class StoryError(Exception):
    """The story cannot go on; the message says why and what to do."""


class Api:
    """
    Calls the product as its frontend does.

    :param show: gets each line to print.
    """

    def __init__(self, base_url: str, token: str, *, show: Show) -> None:
        self._base = base_url.rstrip("/")
        self._token = token
        self._show = show
        self._client = httpx.Client(
            base_url=self._base,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )

    def get(self, path: str, *, quiet: bool = False, **params: str) -> Any:
        """
        GET a resource.

        :raises StoryError: the answer is not a success.
        """
        return self._call("GET", path, quiet=quiet, params=params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """
        POST a body with a fresh Idempotency-Key.

        :raises StoryError: the answer is not a success.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        return self._call("POST", path, json=body, headers=headers)

    def until(
        self,
        path: str,
        is_done: Callable[[Any], bool],
        *,
        what: str,
        seconds: float = 30,
        **params: str,
    ) -> Any:
        """
        GET a resource again and again until it is as wanted, and show the last answer.

        :raises StoryError: it does not become so in time.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            answer = self.get(path, quiet=True, **params)
            if is_done(answer):
                self._show(f"  … {what}\n  GET {path} → {shorten(answer)}")
                return answer
            _pause()
        raise StoryError(f"{path} did not become “{what}” within {seconds:g} s: {shorten(answer)}")

    def values(self, account_id: str, *, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield the live messages of an account for so many seconds."""
        url = self._base.replace("http", "ws", 1) + f"/ws/portfolio/{account_id}"
        ends = time.monotonic() + seconds
        try:
            with connect(url, open_timeout=5, proxy=None) as socket:
                socket.send(json.dumps({"type": "auth", "token": self._token}))
                while (left := ends - time.monotonic()) > 0:
                    message = json.loads(socket.recv(timeout=left))
                    if "total_value" in message:
                        yield message
        except TimeoutError:
            return
        except (WebSocketException, OSError) as error:
            raise StoryError(f"The socket {url} closed: {error}") from error

    def _call(self, method: str, path: str, *, quiet: bool = False, **parts: Any) -> Any:
        try:
            answer = self._client.request(method, path, **parts)
        except httpx.HTTPError as error:
            message = f"{self._base} does not answer; start it with `make run` first."
            raise StoryError(message) from error
        body = _body_of(answer)
        if not quiet:
            sent = f" {shorten(parts['json'])}" if parts.get("json") else ""
            self._show(f"  {method} {path}{sent}\n  → {answer.status_code} {shorten(body)}")
        if answer.is_error:
            raise StoryError(f"{method} {path} answered {answer.status_code}: {shorten(body)}")
        return body


def _pause() -> None:
    """Wait a little between two looks; this is a person's terminal, not a worker."""
    time.sleep(0.25)  # noqa: TID251


def _body_of(answer: httpx.Response) -> Any:
    try:
        return simplejson.loads(answer.content, use_decimal=True)
    except ValueError:
        return answer.text


def shorten(body: Any) -> str:
    """Write JSON on one line, without secrets and without endless lists."""
    text = simplejson.dumps(_masked(body), use_decimal=True, ensure_ascii=False)
    return text if len(text) <= LONGEST_ANSWER else text[:LONGEST_ANSWER] + " …"


def _masked(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: "•••" if key in HIDDEN else _masked(value) for key, value in body.items()}
    if isinstance(body, list):
        return [_masked(each) for each in body]
    return body
