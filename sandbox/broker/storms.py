"""Storms of news about many accounts, spoiled on their way, for tests of who reads the stream."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.answers import Refusal, as_decimal
from sandbox.broker import crowds, statuses
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.records import Account

_MOST_EVENTS = 100_000
# Statuses nobody has heard of; two, so that one can follow the other.
_UNKNOWN, _UNKNOWN_TOO = "SOMETHING_NEW", "SOMETHING_ELSE"
# Where an account may go from a status; from any other it finds back to ACTIVE.
_WAYS = {
    "SUBMITTED": ("APPROVED", "ACTION_REQUIRED", "APPROVAL_PENDING"),
    "ACTION_REQUIRED": ("APPROVED", "APPROVAL_PENDING"),
    "APPROVAL_PENDING": ("APPROVED", "ACTION_REQUIRED"),
    "ACTIVE": ("ACCOUNT_UPDATED", "INACTIVE", "DISABLE_PENDING"),
    "DISABLE_PENDING": ("ACTIVE", "DISABLED"),
}
# How the last step may end it.
_ENDS = {
    "SUBMITTED": ("REJECTED", "SUBMISSION_FAILED"),
    "ACTION_REQUIRED": ("REJECTED",),
    "APPROVAL_PENDING": ("REJECTED",),
    "ACTIVE": ("ACCOUNT_CLOSED",),
}
_CHANCE_OF_END = 0.25
_STEP = timedelta(milliseconds=1)
_KINDS = ("duplicate", "overtaken", "cut_frame", "dropped")


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What a storm is made of. Shares and numbers are exact, not chances."""

    seed: int
    events: int
    duplicates: float
    reordered: float
    unknown: float
    cuts: int
    drops: int
    drop_size: int

    def share(self, part: float) -> int:
        """Tell how many events a share of all is."""
        return round(self.events * part)


@dataclass(kw_only=True)
class _Plan:
    """
    Whose turn it is at each event, and what goes wrong on its way.

    Accounts are numbers here, so that nothing has happened yet when a plan is refused.
    """

    turns: list[int]
    unknown: set[int] = field(default_factory=set)
    mishaps: dict[int, str] = field(default_factory=dict)


def storm(broker: Broker, body: Any) -> dict[str, Any]:
    """
    Send accounts through many statuses within a moment, and spoil the delivery of some news.

    Each mishap strikes one reader once: a lost or cut event is whole at the next reading. The
    order inside an account is kept. What is answered is what a faultless reader must know.

    :raises Refusal: a number is not understood, or too much shall go wrong.
    """
    wanted = _read(broker, body)
    rng = random.Random(wanted.seed)  # noqa: S311 - a plan that can be repeated
    named = _named(broker, body)
    count = len(named) or crowds.whole(body, "accounts", 200, most=crowds.MOST_ACCOUNTS)
    plan = _planned(wanted, count, rng)
    accounts = named or [crowds.make(broker, "SUBMITTED") for _ in range(count)]
    steps: dict[str, list[str]] = {account.id: [] for account in accounts}
    last = ""
    for place, account, status, at in _walk(broker, plan, accounts, rng):
        results = statuses.results_at(account, status)
        last = statuses.change(broker, account, status, at, kyc_results=results).ulid
        steps[account.id].append(status)
        if kind := plan.mishaps.get(place):
            size = wanted.drop_size if kind == "dropped" else 1
            fault = {"kind": kind, "vendor": VENDOR, "stream": "accounts", "event": last}
            broker.world.faults.add(**fault, count=size)
    broker.world.clock.advance(wanted.events * _STEP.total_seconds())
    for account in accounts:
        account.destined_status = account.status
        broker.books.save(account)
    return {
        "events": wanted.events,
        "mishaps": {kind: list(plan.mishaps.values()).count(kind) for kind in _KINDS},
        "unknown": len(plan.unknown),
        "last_event_ulid": last,
        "accounts": {
            account.id: {"status": account.status, "steps": steps[account.id]}
            for account in accounts
        },
    }


def _read(broker: Broker, body: Any) -> Storm:
    events = crowds.whole(body, "events", 2000, most=_MOST_EVENTS)
    return Storm(
        seed=crowds.whole(body, "seed", broker.world.seed, least=0, most=2**32),
        events=events,
        duplicates=_share(body, "duplicates", 0.2),
        reordered=_share(body, "reordered", 0.1),
        unknown=_share(body, "unknown", 0.01),
        cuts=crowds.whole(body, "cuts", 20, least=0, most=events),
        drops=crowds.whole(body, "drops", 20, least=0, most=events),
        drop_size=crowds.whole(body, "drop_size", 3, most=events),
    )


def _named(broker: Broker, body: dict[str, Any]) -> list[Account]:
    """Find the accounts that are named, if any are; otherwise new ones will be made."""
    named = body.get("account_ids")
    if named is None:
        return []
    if not isinstance(named, list) or not named:
        raise Refusal(400, 40010000, "account_ids must be an array with at least one entry")
    return [broker.account(each) for each in dict.fromkeys(map(str, named))]


def _planned(wanted: Storm, count: int, rng: random.Random) -> _Plan:
    """Give every account a turn and the rest by chance; then choose what goes wrong where."""
    if count > wanted.events:
        raise Refusal(400, 40010000, "there must be an event for each account")
    turns = [*range(count), *rng.choices(range(count), k=wanted.events - count)]
    rng.shuffle(turns)
    plan = _Plan(turns=turns)
    places = list(range(wanted.events))
    plan.unknown = set(rng.sample(places, wanted.share(wanted.unknown)))
    rng.shuffle(places)
    overtaken = _overtakable(plan, places, wanted.share(wanted.reordered))
    # What overtakes must come whole, or nothing is overtaken.
    taken = overtaken | {place + 1 for place in overtaken}
    free = [place for place in places if place not in taken]
    plan.mishaps = dict.fromkeys(overtaken, "overtaken")
    # A run of lost events must not reach beyond the end.
    _spoil(plan, "dropped", wanted.drops, free, before=wanted.events - wanted.drop_size + 1)
    _spoil(plan, "cut_frame", wanted.cuts, free)
    _spoil(plan, "duplicate", wanted.share(wanted.duplicates), free)
    return plan


def _spoil(
    plan: _Plan, kind: str, count: int, free: list[int], *, before: int = _MOST_EVENTS
) -> None:
    """Let one thing go wrong at so many of the free places."""
    chosen = [place for place in free if place < before][:count]
    if len(chosen) < count:
        raise Refusal(400, 40010000, "there are too few events for so many mishaps")
    plan.mishaps |= dict.fromkeys(chosen, kind)
    free[:] = [place for place in free if place not in plan.mishaps]


def _overtakable(plan: _Plan, places: Sequence[int], count: int) -> set[int]:
    """Choose events right behind which one of another account comes, no two side by side."""
    chosen: set[int] = set()
    for place in places:
        following = plan.turns[place + 1 : place + 2]
        is_before_another = following not in ([], [plan.turns[place]])
        if len(chosen) < count and is_before_another and not {place - 1, place + 1} & chosen:
            chosen.add(place)
    if len(chosen) < count:
        raise Refusal(400, 40010000, "too few events of different accounts to reorder so many")
    return chosen


def _walk(
    broker: Broker, plan: _Plan, accounts: Sequence[Account], rng: random.Random
) -> Iterator[tuple[int, Account, str, datetime]]:
    """Let each account take its steps, one millisecond after the other."""
    last_turns = {turn: place for place, turn in enumerate(plan.turns)}
    start = broker.now()
    for place, turn in enumerate(plan.turns):
        account = accounts[turn]
        if place in plan.unknown:
            status = _UNKNOWN_TOO if account.status == _UNKNOWN else _UNKNOWN
        else:
            status = _next(account.status, rng, is_last=last_turns[turn] == place)
        yield place, account, status, start + place * _STEP


def _next(status: str, rng: random.Random, *, is_last: bool) -> str:
    ends = _ENDS.get(status, ()) if is_last else ()
    if ends and rng.random() < _CHANCE_OF_END:
        return rng.choice(ends)
    return rng.choice(_WAYS.get(status, ("ACTIVE",)))


def _share(body: dict[str, Any], name: str, default: float) -> float:
    value = as_decimal(body.get(name, default))
    if value is None or not 0 <= value <= 1:
        raise Refusal(400, 40010000, f"{name} must be a share between 0 and 1")
    return float(value)
