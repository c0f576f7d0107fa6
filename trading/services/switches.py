"""The kill switch: stopping orders at once, and letting them pass again."""

from datetime import datetime
from typing import Final, NoReturn
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts import selectors as account_selectors
from core import audit
from core.auth import SYSTEM, Kind, Principal, acting_as, api_keys
from core.db.violations import broken_constraint
from core.errors import CleraError, Invalid, NotFound
from core.intents import sending
from core.intents.states import IntentState
from core.jobs import enqueue
from trading.models import KillSwitch, Order
from trading.selectors import switches as standing
from trading.services import cancels
from trading.services.couriers import OrderCourier
from trading.states import SwitchScope

logger = structlog.get_logger()
_LONGEST_REASON: Final = 300
_BATCH: Final = 500
_MOST_PASSES: Final = 100
# The broker has these or may turn out to have them.
_WITH_BROKER: Final = [
    IntentState.ACCEPTED,
    IntentState.SENDING,
    IntentState.UNKNOWN,
    IntentState.NEEDS_REVIEW,
]


class AlreadyStopped(CleraError):
    """A switch of the same scope and target stands already."""

    code = "already_stopped"
    status = 409
    detail = "These orders are stopped already; lift that switch first."


class SwitchLifted(CleraError):
    """The switch does not stand any more."""

    code = "switch_lifted"
    status = 409
    detail = "This switch was lifted already."


def order_stop(
    *,
    staff: Principal,
    scope: SwitchScope | str,
    target: str | UUID,
    reason: str,
    cancels_open: bool,
    at: datetime,
) -> KillSwitch:
    """
    Stop the orders of everybody, of an account, or of a customer or credential, from now on.

    What was taken and not sent is held back. With `cancels_open` whatever the broker has is
    canceled as well, by a task that goes on until nothing is left.

    :param target: nothing for everybody; an account's id; a customer's id or a credential's name.
    :raises Invalid: no reason is given, or the target is none.
    :raises NotFound: there is no such account.
    :raises AlreadyStopped: a switch of this scope and target stands.
    """
    why = _reason(reason)
    whom, user_id = _target(staff, _scope(scope), str(target).strip())
    with acting_as(staff):
        switch = KillSwitch(
            scope=_scope(scope),
            target=whom,
            user_id=user_id,
            reason=why,
            cancels_open=cancels_open,
            ordered_by=staff.name,
            ordered_at=at,
        )
        try:
            with transaction.atomic():
                switch.save(force_insert=True)
        except IntegrityError as error:
            if broken_constraint(error) != "trading_switch_once":
                raise
            raise AlreadyStopped from error
        _record("killswitch.ordered", switch, staff=staff, reason=why, cancels_open=cancels_open)
        enqueue("trading.obey_switches")
    logger.warning("killswitch.ordered", id=str(switch.pk), kind=switch.scope)
    return switch


def cancel_open(*, staff: Principal, switch_id: UUID, reason: str) -> KillSwitch:
    """
    Have the broker cancel, too, what it has of the orders that a standing switch stops.

    :raises Invalid: no reason is given.
    :raises NotFound: there is no such switch.
    :raises SwitchLifted: it does not stand any more.
    """
    why = _reason(reason)
    with acting_as(staff):
        switch = _locked(switch_id)
        switch.cancels_open = True
        switch.save(update_fields=["cancels_open"])
        _record("killswitch.cancels_ordered", switch, staff=staff, reason=why)
        enqueue("trading.obey_switches")
    return switch


def lift(*, staff: Principal, switch_id: UUID, reason: str, at: datetime) -> KillSwitch:
    """
    Let orders pass again; what was held back is judged anew, each at the price of that moment.

    :raises Invalid: no reason is given.
    :raises NotFound: there is no such switch.
    :raises SwitchLifted: somebody has lifted it before.
    """
    why = _reason(reason)
    with acting_as(staff):
        switch = _locked(switch_id)
        switch.lift_reason, switch.lifted_by, switch.lifted_at = why, staff.name, at
        switch.save(update_fields=["lift_reason", "lifted_by", "lifted_at"])
        _record("killswitch.lifted", switch, staff=staff, reason=why)
        enqueue("trading.release_held")
    logger.warning("killswitch.lifted", id=str(switch.pk), kind=switch.scope)
    return switch


def obey(*, at: datetime) -> dict[str, int]:
    """
    Do at once what the standing switches ask for, and count the orders that this has touched.

    What waits to be sent is held, and what they want canceled is; what the broker does not carry
    out at once is repeated by the sweep of cancellations.
    """
    touched = {"held": hold_ready(at=at), "cancels_asked": ask_cancels(at=at)}
    for _ in range(_MOST_PASSES):
        if cancels.repeat_wishes(at=at) < cancels.BATCH:
            break
    return touched


def hold_ready(*, at: datetime) -> int:
    """Hold the orders that are stopped and wait to be sent, whenever their turn is; counts them."""
    with acting_as(SYSTEM):
        stopped = Order.objects.filter(standing.is_stopped(), state=IntentState.PENDING)
        ready = list(stopped.order_by("due_at").values_list("pk", flat=True)[:_BATCH])
    for order_id in ready:
        try:  # sending is where the switch is read, under the lock of the order
            sending.send_once(order_id, through=OrderCourier(), at=at)
        except CleraError as error:
            logger.warning("killswitch.not_held", id=str(order_id), error=error.code)
    return len(ready)


def ask_cancels(*, at: datetime) -> int:
    """Write down of every order that a standing switch wants canceled that it is; counts them."""
    with acting_as(SYSTEM):
        switches = list(KillSwitch.objects.on().filter(cancels_open=True))
    asked = 0
    for switch in switches:
        while count := _ask_some(switch, at=at):
            asked += count
    if asked:
        logger.info("killswitch.cancels_asked", count=asked)
    return asked


def _ask_some(switch: KillSwitch, *, at: datetime) -> int:
    """Take what nobody has locked; the sweep comes back for the others."""
    with acting_as(SYSTEM):
        orders = Order.objects.working().filter(
            _is_stopped_by(switch), state__in=_WITH_BROKER, cancel_asked_at__isnull=True
        )
        free = orders.select_for_update(skip_locked=True, no_key=True).order_by("pk")
        some = list(free.values_list("pk", flat=True)[:_BATCH])
        return Order.objects.filter(pk__in=some).update(
            cancel_asked_at=at, cancel_asked_by=switch.ordered_by
        )


def _is_stopped_by(switch: KillSwitch) -> Q:
    if switch.scope == SwitchScope.GLOBAL:
        return Q()
    if switch.scope == SwitchScope.ACCOUNT:
        return Q(account_id=UUID(switch.target))
    return Q(user_id=switch.target) | Q(placed_by=switch.target)


def _locked(switch_id: UUID) -> KillSwitch:
    switch = KillSwitch.objects.select_for_update().filter(pk=switch_id).first()
    if switch is None:
        raise NotFound("There is no such switch.")
    if switch.lifted_at is not None:
        raise SwitchLifted
    return switch


def _scope(scope: SwitchScope | str) -> SwitchScope:
    try:
        return SwitchScope(scope)
    except ValueError:
        _refuse("scope", f"One of {', '.join(SwitchScope.values)}.")


def _target(staff: Principal, scope: SwitchScope, target: str) -> tuple[str, str]:
    """Say whom a switch is to name and whose data that is; a typing error would stop nobody."""
    if scope == SwitchScope.GLOBAL:
        if target:
            _refuse("target", "A switch for everybody names nobody.")
        return "", ""
    if not target:
        _refuse("target", "Name whose orders are to be stopped.")
    if scope == SwitchScope.ACCOUNT:
        account = account_selectors.get_account(principal=staff, account_id=target)
        return str(account.pk), account.user_id
    if _is_customer(target):
        return target, target
    if target not in _keys():
        _refuse("target", "There is no customer with this id and no key with this name.")
    return target, ""


def _is_customer(user_id: str) -> bool:
    owner = Principal(kind=Kind.CUSTOMER, user_id=user_id)
    return bool(account_selectors.list_accounts(principal=owner))


def _keys() -> set[str]:
    return {Principal(kind=Kind.SERVICE, key_id=key.public_id).name for key in api_keys.list_keys()}


def _reason(reason: str) -> str:
    why = reason.strip()[:_LONGEST_REASON]
    if not why:
        _refuse("reason", "Write why, in a few words.")
    return why


def _refuse(field: str, rule: str) -> NoReturn:
    raise Invalid(f"{field}: {rule}", field_errors={field: [rule]})


def _record(action: str, switch: KillSwitch, *, staff: Principal, **details: object) -> None:
    audit.record(
        action,
        principal=staff,
        subject_kind="trading.KillSwitch",
        subject_id=switch.pk,
        user_id=switch.user_id,
        scope=switch.scope,
        target=switch.target,
        **details,
    )
