"""Readers of the pretend broker's event streams, for tests that look at single frames."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from sandbox.tests.customers import Desk

ACCOUNTS = "/v1/events/accounts/status"


class Frames:
    """The frames of one open stream, read one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.iter_text()
        self._rest = ""

    def next(self) -> str:
        while "\n\n" not in self._rest:
            self._rest += next(self._chunks)
        frame, _, self._rest = self._rest.partition("\n\n")
        return frame

    def event(self) -> dict[str, Any]:
        """The next frame that is not a comment, with its id line checked."""
        frame = self.next()
        while frame.startswith(":"):
            frame = self.next()
        number, kind, data = frame.split("\n")
        payload: dict[str, Any] = json.loads(data.removeprefix("data: "))
        assert number == f"id: {payload['event_ulid']}"
        assert kind == "event: message"
        return payload

    def until(self, wanted: Callable[[str], bool]) -> str:
        while not wanted(frame := self.next()):
            pass
        return frame


@contextmanager
def streaming(desk: Desk, path: str, **query: str) -> Iterator[Frames]:
    url = desk.server.broker_url + path
    with (
        httpx.Client(auth=desk.server.auth, timeout=5, verify=False) as http,
        http.stream("GET", url, params=query) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Frames(response)


def replay(desk: Desk, path: str, **query: str) -> list[dict[str, Any]]:
    """Everything of a closed window."""
    query.setdefault("since", "2020-01-01")
    query.setdefault("until", "2100-01-01")
    text = desk.send("GET", path, params=query).text
    lines = (line for line in text.split("\n") if line.startswith("data: "))
    return [json.loads(line.removeprefix("data: ")) for line in lines]
