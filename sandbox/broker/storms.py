"""Storms of news about many accounts, spoiled on their way, for tests of who reads the stream."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox.answers import Refusal
from sandbox.broker import crowds, mishaps, statuses
from sandbox.broker.core import Broker
from sandbox.broker.mishaps import Plan
from sandbox.broker.records import Account

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


def storm(broker: Broker, body: Any) -> dict[str, Any]:
    """
    Send accounts through many statuses within a moment, and spoil the delivery of some news.

    Each mishap strikes one reader once: a lost or cut event is whole at the next reading. The
    order inside an account is kept. What is answered is what a faultless reader must know.

    :raises Refusal: a number is not understood, or too much shall go wrong.
    """
    wanted = mishaps.read(broker, body)
    rng = random.Random(wanted.seed)  # noqa: S311 - a plan that can be repeated
    named = _named(broker, body)
    count = len(named) or crowds.whole(body, "accounts", 200, most=crowds.MOST_ACCOUNTS)
    plan = mishaps.planned(wanted, range(count), rng, of="account")
    accounts = named or [crowds.make(broker, "SUBMITTED") for _ in range(count)]
    steps: dict[str, list[str]] = {account.id: [] for account in accounts}
    last = ""
    for place, account, status, at in _walk(broker, plan, accounts, rng):
        results = statuses.results_at(account, status)
        last = statuses.change(broker, account, status, at, kyc_results=results).ulid
        steps[account.id].append(status)
        if kind := plan.mishaps.get(place):
            mishaps.strike(broker, "accounts", last, kind, wanted)
    broker.world.clock.advance(wanted.events * _STEP.total_seconds())
    for account in accounts:
        account.destined_status = account.status
        broker.books.save(account)
    return {
        "events": wanted.events,
        "mishaps": plan.counts(),
        "unknown": len(plan.unknown),
        "last_event_ulid": last,
        "accounts": {
            account.id: {"status": account.status, "steps": steps[account.id]}
            for account in accounts
        },
    }


def _named(broker: Broker, body: dict[str, Any]) -> list[Account]:
    """Find the accounts that are named, if any are; otherwise new ones will be made."""
    named = body.get("account_ids")
    if named is None:
        return []
    if not isinstance(named, list) or not named:
        raise Refusal(400, 40010000, "account_ids must be an array with at least one entry")
    return [broker.account(each) for each in dict.fromkeys(map(str, named))]


def _walk(
    broker: Broker, plan: Plan, accounts: Sequence[Account], rng: random.Random
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
