"""A reader of an event stream that starts again after every loss, and counts what went wrong."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from sandbox.tests.customers import Desk
from sandbox.tests.frames import ACCOUNTS


@dataclass
class Reader:
    """Reads the whole stream again after every loss, and counts what went wrong on the way."""

    desk: Desk
    path: str = ACCOUNTS
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    passes: list[list[str]] = field(default_factory=list)
    cuts: int = 0
    lost: list[str] = field(default_factory=list)

    def read_all(self) -> None:
        while not self._read_once():
            pass

    def _read_once(self) -> bool:
        """Read up to the first pause or the end; false when something was lost on the way."""
        seen: list[str] = []
        lost_before = len(self.lost)
        self.passes.append(seen)
        url = self.desk.server.broker_url + self.path
        with (
            httpx.Client(auth=self.desk.server.auth, timeout=5, verify=False) as http,
            http.stream("GET", url, params={"since": "2020-01-01"}) as response,
        ):
            data = ""
            for line in response.iter_lines():
                if line == ": heartbeat":
                    return len(self.lost) == lost_before
                if "too slowly" in line:
                    self.lost.append(line)
                if line.startswith("data: "):
                    data = line.removeprefix("data: ")
                elif not line and data:
                    event, data = json.loads(data), ""
                    seen.append(event["event_ulid"])
                    self.events[event["event_ulid"]] = event
        self.cuts += 1
        return False

    def steps_of(self, account_id: str) -> list[str]:
        """What an account went through, in the order of the cursors."""
        events = (self.events[ulid] for ulid in sorted(self.events))
        return [each["status_to"] for each in events if each["account_id"] == account_id]

    def duplicates(self) -> int:
        return sum(len(seen) - len(set(seen)) for seen in self.passes)

    def overtakings(self) -> int:
        pairs = (pair for seen in self.passes for pair in itertools.pairwise(seen))
        return sum(before > after for before, after in pairs)
