"""
Who may see which accounts through a socket; asked by thousands at one moment.

After a restart every socket comes back at once, so the accounts of all who wait are looked for in
one transaction. It is the system's, and an account found is shown to its owner alone.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from django.db import DatabaseError

from accounts.models import BrokerageAccount
from accounts.models.accounts import parsed_id
from accounts.selectors import NO_ACCOUNT, demand_customer
from core import metrics
from core.auth import SYSTEM, Principal, acting_as, api_keys, tokens
from core.auth.delegation import act_for
from core.auth.principals import ACT_FOR
from core.auth.sockets import Admission, NamedAccount, Wish, bearer_of
from core.errors import CleraError, Forbidden, NotFound
from core.sockets.loops import PerLoop
from core.threads import in_database
from core.waiting_room import WaitingRoom

Room = WaitingRoom[Wish, Admission]
# Both rooms together leave a thread of the database to those that were let in.
_BATCHES, _LARGEST_BATCH = 2, 100
_SLOW_BATCHES, _LARGEST_SLOW_BATCH = 1, 50
# Some seconds of work: clients give up after ten. Whoever would wait longer is told to come back.
_MOST_WAITING: Final = 2_000


class _Rooms(NamedTuple):
    quick: Room
    slow: Room


async def ask(wish: Wish, *, is_wanted: Callable[[], bool]) -> Admission:
    """
    Wait for the answer to a wish, in the order of coming.

    :raises Unauthenticated: the token is not valid.
    :raises Forbidden: it is, and may not do this.
    :raises NotFound: there is no such account, or it is somebody else's.
    :raises ServiceBusy: too many wait already, or it is not wanted any more.
    """
    rooms = _ROOMS.get()
    # What takes long is not done beside customers who would have to wait for it.
    room = rooms.slow if _takes_long(wish) else rooms.quick
    with metrics.SOCKETS_WAITING.track_inprogress():
        return await room.ask(wish, is_wanted=is_wanted)


def _takes_long(wish: Wish) -> bool:
    """Services leave an entry for each account; an unknown signer has the issuer asked."""
    if wish.principal is not None:
        return wish.principal.user_id is None
    return api_keys.looks_like_key(wish.token) or tokens.may_have_to_wait(wish.token)


def admit(wishes: Sequence[Wish]) -> list[Admission | Exception]:
    """Answer each wish: with what may be seen, or with the error that says why nothing may."""
    answers: list[Admission | Exception | None] = [None] * len(wishes)
    bearers: dict[int, Principal] = {}
    for index, wish in enumerate(wishes):
        try:
            bearers[index] = _bearer(wish)
        except (CleraError, DatabaseError) as error:
            answers[index] = error
    found = _find([(wishes[index], who) for index, who in bearers.items()])
    for index, who in bearers.items():
        try:
            answers[index] = _answer(wishes[index], who, found)
        except (CleraError, DatabaseError) as error:
            answers[index] = error
    return [answer for answer in answers if answer is not None]


def _bearer(wish: Wish) -> Principal:
    principal = bearer_of(wish)
    if principal.user_id is None and not principal.can(ACT_FOR):
        raise Forbidden("This credential may not act for a customer.")
    if wish.account_ids is None:
        demand_customer(principal)
    return principal


@dataclass(frozen=True, slots=True)
class _Found:
    """Accounts that were named, by either id, and all that some customers have."""

    by_name: dict[str, list[NamedAccount]]
    all_of: dict[str, list[NamedAccount]]


def _find(asking: Collection[tuple[Wish, Principal]]) -> _Found:
    """Look for all that was asked for; whose may see it is not judged here."""
    names = {name for wish, _ in asking for name in wish.account_ids or ()}
    customers = {who.user_id for wish, who in asking if wish.account_ids is None}
    found = _Found({}, {})
    if not names and not customers:
        return found
    with acting_as(SYSTEM):
        for name, account in _named(names):
            found.by_name.setdefault(name, []).append(account)
        if customers:
            whole = BrokerageAccount.objects.live().filter(user_id__in=customers).order_by("id")
            for pk, owner in whole.values_list("pk", "user_id"):
                found.all_of.setdefault(owner, []).append(NamedAccount(pk, str(pk), owner))
    return found


def _named(names: Collection[str]) -> Iterator[tuple[str, NamedAccount]]:
    rows = BrokerageAccount.objects.named(*names).order_by("pk")
    owners: dict[UUID, str] = {}
    by_broker_id: dict[str, UUID] = {}
    for pk, broker_id, owner in rows.values_list("pk", "broker_account_id", "user_id"):
        owners[pk] = owner
        by_broker_id[broker_id] = pk
    for name in names:
        named = parsed_id(name)
        if named is None:
            continue
        for pk in filter(owners.get, (named, by_broker_id.get(name.lower(), named))):
            yield name, NamedAccount(pk, name, owners[pk])


def _answer(wish: Wish, principal: Principal, found: _Found) -> Admission:
    if wish.account_ids is None:
        whose = demand_customer(principal)
        return _admission(principal, found.all_of.get(whose, ()))
    seen, unknown = [], []
    for name in dict.fromkeys(wish.account_ids):
        account = _theirs(principal, found.by_name.get(name, ()))
        if account is None:
            unknown.append(name)
            continue
        seen.append(account)
        acting = act_for(principal, account.user_id, via="account")
        principal = acting if wish.is_for_one else principal
    if wish.is_for_one and not seen:
        raise NotFound(NO_ACCOUNT)
    return _admission(principal, seen, unknown)


def _theirs(principal: Principal, accounts: Sequence[NamedAccount]) -> NamedAccount | None:
    """Choose the account that is the principal's; a service may see anybody's."""
    whose = principal.user_id
    return next((a for a in accounts if whose is None or a.user_id == whose), None)


def _admission(
    principal: Principal, seen: Sequence[NamedAccount], unknown: Sequence[str] = ()
) -> Admission:
    owner = f"{principal.name} for {principal.user_id or 'several'}"
    return Admission(principal, owner, tuple(seen), tuple(unknown))


async def _admit(wishes: Sequence[Wish]) -> list[Admission | Exception]:
    return await in_database(admit, wishes)


def _room(*, at_once: int, most: int) -> Room:
    return WaitingRoom(_admit, at_once=at_once, most=most, most_waiting=_MOST_WAITING)


_ROOMS: Final = PerLoop(
    lambda: _Rooms(
        quick=_room(at_once=_BATCHES, most=_LARGEST_BATCH),
        slow=_room(at_once=_SLOW_BATCHES, most=_LARGEST_SLOW_BATCH),
    )
)
