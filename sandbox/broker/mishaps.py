"""What goes wrong on the way of a storm's news, decided before the first of it happens."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.answers import Refusal, as_decimal
from sandbox.broker import crowds
from sandbox.broker.core import VENDOR, Broker

_BAD = 40010000
_MOST_EVENTS = 100_000
_KINDS = ("duplicate", "overtaken", "cut_frame", "dropped")


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What a storm is made of. Shares and numbers are exact, not chances."""

    seed: int
    events: int
    duplicates: float
    reordered: float
    scrambled: float
    unknown: float
    cuts: int
    drops: int
    drop_size: int

    def share(self, part: float) -> int:
        """Tell how many events a share of all is."""
        return round(self.events * part)


@dataclass(kw_only=True)
class Plan:
    """
    Whose turn it is at each event, and what goes wrong on its way.

    Whoever has turns is a number here, and `owners` says of which account each is, so that
    nothing has happened yet when a plan is refused.
    """

    turns: list[int]
    owners: Sequence[int]
    unknown: set[int] = field(default_factory=set)
    mishaps: dict[int, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Count what goes wrong, by kind."""
        chosen = list(self.mishaps.values())
        kinds = [*_KINDS, *(["reorder"] if "reorder" in chosen else [])]
        return {kind: chosen.count(kind) for kind in kinds}


def read(broker: Broker, body: Any, *, events: int = 2000) -> Storm:
    """
    Read what a storm shall be made of.

    :raises Refusal: a number is not understood.
    """
    count = crowds.whole(body, "events", events, most=_MOST_EVENTS)
    return Storm(
        seed=crowds.whole(body, "seed", broker.world.seed, least=0, most=2**32),
        events=count,
        duplicates=share(body, "duplicates", 0.2),
        reordered=share(body, "reordered", 0.1),
        scrambled=share(body, "scrambled", 0.0),
        unknown=share(body, "unknown", 0.01),
        cuts=crowds.whole(body, "cuts", 20, least=0, most=count),
        drops=crowds.whole(body, "drops", 20, least=0, most=count),
        drop_size=crowds.whole(body, "drop_size", 3, most=count),
    )


def share(body: dict[str, Any], name: str, default: float) -> float:
    """
    Read a share of all events from a body.

    :raises Refusal: it is none.
    """
    value = as_decimal(body.get(name, default))
    if value is None or not 0 <= value <= 1:
        raise Refusal(400, _BAD, f"{name} must be a share between 0 and 1")
    return float(value)


def planned(wanted: Storm, owners: Sequence[int], rng: random.Random, *, of: str) -> Plan:
    """
    Give everybody a turn and the rest by chance; then choose what goes wrong where.

    :raises Refusal: too much shall go wrong, or there are fewer events than turns.
    """
    count = len(owners)
    if count > wanted.events:
        raise Refusal(400, _BAD, f"there must be an event for each {of}")
    turns = [*range(count), *rng.choices(range(count), k=wanted.events - count)]
    rng.shuffle(turns)
    plan = Plan(turns=turns, owners=owners)
    places = list(range(wanted.events))
    plan.unknown = set(rng.sample(places, wanted.share(wanted.unknown)))
    rng.shuffle(places)
    _let_overtake(plan, "overtaken", places, wanted.share(wanted.reordered))
    _let_overtake(plan, "reorder", places, wanted.share(wanted.scrambled))
    # What overtakes must come whole, or nothing is overtaken.
    taken = set(plan.mishaps) | {place + 1 for place in plan.mishaps}
    free = [place for place in places if place not in taken]
    # A run of lost events must not reach beyond the end.
    _spoil(plan, "dropped", wanted.drops, free, before=wanted.events - wanted.drop_size + 1)
    _spoil(plan, "cut_frame", wanted.cuts, free)
    _spoil(plan, "duplicate", wanted.share(wanted.duplicates), free)
    return plan


def strike(broker: Broker, stream: str, ulid: str, kind: str, wanted: Storm) -> None:
    """Let something go wrong with one event, once."""
    size = wanted.drop_size if kind == "dropped" else 1
    broker.world.faults.add(kind=kind, vendor=VENDOR, stream=stream, event=ulid, count=size)


def _spoil(
    plan: Plan, kind: str, count: int, free: list[int], *, before: int = _MOST_EVENTS
) -> None:
    """Let one thing go wrong at so many of the free places."""
    chosen = [place for place in free if place < before][:count]
    if len(chosen) < count:
        raise Refusal(400, _BAD, "there are too few events for so many mishaps")
    plan.mishaps |= dict.fromkeys(chosen, kind)
    free[:] = [place for place in free if place not in plan.mishaps]


def _let_overtake(plan: Plan, kind: str, places: Sequence[int], count: int) -> None:
    """
    Choose events that the next one overtakes, no two side by side.

    Only `reorder` lets an account's own event come too early, which the vendor never promises.
    """
    chosen: set[int] = set()
    taken = set(plan.mishaps)
    for place in places:
        if len(chosen) == count:
            break
        is_beside = {place - 1, place, place + 1} & (taken | chosen)
        if not is_beside and _can_be_overtaken(plan, place, by_own=kind == "reorder"):
            chosen.add(place)
    if len(chosen) < count:
        raise Refusal(400, _BAD, "too few events of different accounts to reorder so many")
    plan.mishaps |= dict.fromkeys(chosen, kind)


def _can_be_overtaken(plan: Plan, place: int, *, by_own: bool) -> bool:
    following = plan.turns[place + 1 : place + 2]
    if not following:
        return False
    return by_own or plan.owners[following[0]] != plan.owners[plan.turns[place]]
