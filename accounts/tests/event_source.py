"""A broker whose stream of account events does everything wrong that such a stream may do."""

import json
import random
import re
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from core.tests.wires import answer, vendor

BEGIN = datetime(2026, 11, 23, 15, tzinfo=UTC)
FIRST_STATUS = "ONBOARDING"
STATUSES = ("SUBMITTED", "ACTION_REQUIRED", "APPROVAL_PENDING", "APPROVED", "ACTIVE", "LIMITED")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
)
_HEARTBEAT_SECONDS = 0.05
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Plan:
    """How much of what; everything else follows from the seed."""

    seed: int
    events: int
    accounts: int = 200
    repeated: float = 0.2
    held_back: float = 0.1
    unknown: int = 2
    bad_json: int = 2
    shapeless: int = 2
    cuts: int = 20
    gaps: int = 4


@dataclass(frozen=True)
class Told:
    """One event of the history. `kind` is `good`, `unknown`, `bad_json` or `shapeless`."""

    ulid: str
    account_id: str
    status: str
    at: datetime
    kind: str
    is_repeated: bool
    is_held_back: bool

    def frame(self) -> bytes:
        payload: dict[str, Any] = {
            "account_id": self.account_id,
            "account_number": "",
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "event_ulid": self.ulid,
            "kyc_results": None,
            "reason": "in one line\u2028or two",
            "status_from": "",
            "status_to": self.status,
        }
        if self.kind == "shapeless":
            del payload["status_to"]
        text = json.dumps(payload, ensure_ascii=False)
        if self.kind == "bad_json":
            text = text[: len(text) // 2]
        return f"id: {self.ulid}\nevent: message\ndata: {text}\n\n".encode()


@dataclass(frozen=True)
class Gap:
    """Where events were dropped: how many, from which one on."""

    first: Told
    count: int


class EventSource:
    """
    Plays its history to whoever asks, from the cursor they name, in the order of each account.

    It repeats events, lets them overtake those of other accounts, breaks off in the middle of a
    frame and drops events and says so; each of the last two once for each planned place.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._random = random.Random(plan.seed)
        self.account_ids = [
            str(UUID(int=self._random.getrandbits(128), version=4)) for _ in range(plan.accounts)
        ]
        self.history = self._make_history(plan)
        places = self._random.sample(range(20, plan.events - 20), plan.cuts + plan.gaps)
        faults = [_Telling.cut] * plan.cuts + [_Telling.drop] * plan.gaps
        self._faults = dict(zip(places, faults, strict=True))
        self.since: list[str] = []
        self.reopened: list[tuple[Gap, str]] = []
        self.frames_sent = 0
        self._open_gap: Gap | None = None

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port until the block ends; yields the URL."""
        with vendor(self._answer) as (url, _):
            yield url

    @property
    def faults_left(self) -> int:
        """How many planned faults nobody has met yet."""
        return len(self._faults)

    def take_fault(self, place: int) -> "Fault | None":
        """Say what goes wrong at this place, the first time somebody gets there."""
        return self._faults.pop(place, None)

    def status_of(self, account_id: str) -> str:
        """What the broker itself knows, whatever it has managed to tell."""
        told = [told.status for told in self.history if told.account_id == account_id]
        return told[-1] if told else FIRST_STATUS

    # Its history

    def _make_history(self, plan: Plan) -> list[Told]:
        special = self._random.sample(
            range(plan.events), plan.unknown + plan.bad_json + plan.shapeless
        )
        kinds = ["unknown"] * plan.unknown + ["bad_json"] * plan.bad_json
        kind_of = dict(zip(special, kinds + ["shapeless"] * plan.shapeless, strict=True))
        at, history = BEGIN, []
        for number in range(plan.events):
            if self._random.random() > 0.05:  # else within the same millisecond
                at += timedelta(milliseconds=self._random.randint(1, 8_000))
            history.append(self._make_event(at, kind_of.get(number, "good"), number, plan))
        return history

    def _make_event(self, at: datetime, kind: str, number: int, plan: Plan) -> Told:
        status = f"SOMETHING_NEW_{number}" if kind == "unknown" else self._random.choice(STATUSES)
        return Told(
            ulid=ulid(at, self._random.getrandbits(80)),
            account_id=self._random.choice(self.account_ids),
            status=status,
            at=at,
            kind=kind,
            is_repeated=self._random.random() < plan.repeated,
            is_held_back=self._random.random() < plan.held_back,
        )

    # Its server

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        target = request.split(b" ", 2)[1].decode()
        if "/events/" not in target:
            connection.sendall(self._account(target.rpartition("/")[2]))
            return
        found = re.search(r"since_ulid=(\w+)", target)
        since = found[1] if found else ""
        self.since.append(since)
        if self._open_gap is not None:
            self.reopened.append((self._open_gap, since))
            self._open_gap = None
        connection.sendall(_HEAD)
        _Telling(self, connection).tell(since)

    def _account(self, account_id: str) -> bytes:
        body = {"id": account_id, "status": self.status_of(account_id)}
        return answer("200 OK", json.dumps(body).encode(), "content-type: application/json")


Fault = Callable[["_Telling", int], None]


@dataclass
class _Telling:
    """One open connection."""

    source: EventSource
    connection: socket.socket
    repeats: deque[tuple[int, Told]] = field(default_factory=deque)
    held: Told | None = None
    overtaken_by: int = 0

    def tell(self, since: str) -> None:
        """Send what the reader has not seen, until a planned fault or the reader ends it."""
        self._send(b": connected\n\n")
        for place, told in enumerate(self.source.history):
            if told.ulid <= since:
                continue
            fault = self.source.take_fault(place)
            if fault is not None:
                self._let_go()
                fault(self, place)
                return
            self._pass_on(told)
        self._let_go()
        self._idle()

    def _pass_on(self, told: Told) -> None:
        if self.held is not None and self.held.account_id == told.account_id:
            self._let_go()  # the order within an account is kept
        if told.is_held_back and self.held is None:
            self.held, self.overtaken_by = told, 0
            return
        self._send_event(told)
        self.overtaken_by += 1
        if self.held is not None and self.overtaken_by > self.source._random.randint(1, 3):
            self._let_go()

    def _let_go(self) -> None:
        if self.held is not None:
            told, self.held = self.held, None
            self._send_event(told)

    def _send_event(self, told: Told) -> None:
        self._send(told.frame())
        if told.is_repeated:
            self.repeats.append((self.source._random.randint(0, 5), told))
        if self.repeats and self.repeats[0][0] <= len(self.repeats):
            self._send(self.repeats.popleft()[1].frame())

    def cut(self, place: int) -> None:
        """Break off in the middle of a frame, in one of the ways in which connections end."""
        frame = self.source.history[place].frame()
        self._send(frame[: self.source._random.randint(1, len(frame) - 2)])
        how = self.source._random.choice(["end", "close", "reset"])
        if how == "end":
            self.connection.sendall(b"0\r\n\r\n")
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def drop(self, place: int) -> None:
        """Leave events out, say so, and go on as if nothing had been."""
        count = self.source._random.randint(1, 9)
        self.source._open_gap = Gap(self.source.history[place], count)
        words = f": you are reading too slowly, dropped {count} messages\n\n"
        self._send(words.encode())
        for told in self.source.history[place + count : place + count + 3]:
            self._send(told.frame())
        self.connection.settimeout(_PATIENCE_SECONDS)
        self.connection.recv(1)  # until the reader has had enough

    def _idle(self) -> None:
        self.connection.settimeout(_HEARTBEAT_SECONDS)
        while True:
            self._send(b": heartbeat\n\n")
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue

    def _send(self, data: bytes) -> None:
        """Send it in pieces that end anywhere."""
        self.source.frames_sent += 1
        middle = self.source._random.randint(0, len(data))
        for piece in (data[:middle], data[middle:]):
            if piece:
                self.connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))


def ulid(at: datetime, chance: int = 0) -> str:
    """Make an id that sorts by its millisecond, and within one by chance."""
    value = (round(at.timestamp() * 1000) << 80) | chance
    return "".join(_CROCKFORD[value >> 5 * place & 31] for place in reversed(range(26)))


def moment_of(ulid: str) -> datetime:
    """Read the time in an id."""
    milliseconds = 0
    for letter in ulid[:10]:
        milliseconds = milliseconds * 32 + _CROCKFORD.index(letter)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
