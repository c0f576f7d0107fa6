"""What customers say about lots: which ones a sale takes, and which ones all of them do."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from accounts import selectors as account_selectors
from accounts import services as accounts
from core.auth import Principal, acting_as
from core.errors import CleraError
from trading.models import Lot, LotPreference, Order
from trading.states import LotMethod
from trading.tickets import Ticket

ZERO: Final = Decimal(0)


class LotsNotThere(CleraError):
    """Some of the lots that a sale names are not there, or not enough is left of them."""

    code = "lots_not_there"
    status = 422
    detail = "Some of the lots are not there, or have fewer shares left."


def set_method(
    *, principal: Principal, account_id: str | UUID, method: LotMethod, at: datetime
) -> LotPreference:
    """
    Choose which lots an account's sales take from now on; what was sold keeps its method.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = account_selectors.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        accounts.lock_account(account_id=account.pk)
        chosen, _ = LotPreference.objects.update_or_create(
            account_id=account.pk,
            defaults={
                "user_id": account.user_id,
                "method": method,
                "set_by": principal.name,
                "set_at": at,
            },
        )
    return chosen


def require_lots(account_id: UUID, ticket: Ticket, *, released: Order | None = None) -> None:
    """
    Refuse a sale of named lots that are not there, with the account locked.

    What open orders have named already is not there for another one, save for the one that is
    `released` by it.

    :raises LotsNotThere: and it names the lots.
    """
    if not ticket.lots:
        return
    wanted = {choice.lot_id: choice.quantity for choice in ticket.lots}
    free = dict(
        Lot.objects.filter(
            account_id=account_id, symbol=ticket.symbol, pk__in=list(wanted), remaining__gt=0
        ).values_list("pk", "remaining")
    )
    taken = _taken(account_id, ticket.symbol, released=released)
    short = [
        lot_id
        for lot_id, quantity in wanted.items()
        if quantity > free.get(lot_id, ZERO) - taken.get(lot_id, ZERO)
    ]
    if short:
        raise LotsNotThere(
            field_errors={"lots": [f"{lot_id}: {_left(lot_id, free, taken)}" for lot_id in short]}
        )


def _left(lot_id: UUID, free: dict[UUID, Decimal], taken: dict[UUID, Decimal]) -> str:
    if lot_id not in free:
        return "the account has no such lot of this symbol that is open."
    left = max(free[lot_id] - taken.get(lot_id, ZERO), ZERO)
    whole = format(left.normalize(), "f")
    return f"{whole} shares are left of it, open orders counted."


def _taken(account_id: UUID, symbol: str, *, released: Order | None) -> dict[UUID, Decimal]:
    """Add up what open orders will yet take of the lots that they name."""
    orders = Order.objects.filter(account_id=account_id, symbol=symbol).exclude(lot_choices=[])
    if released is not None:
        orders = orders.exclude(pk=released.pk)
    taken: dict[UUID, Decimal] = {}
    for choices, filled in orders.working().values_list("lot_choices", "filled_quantity"):
        for lot_id, quantity in _not_yet(choices, filled):
            taken[lot_id] = taken.get(lot_id, ZERO) + quantity
    return taken


def _not_yet(choices: Iterable[dict[str, str]], filled: Decimal) -> Iterable[tuple[UUID, Decimal]]:
    """Leave out what fills have used up, in the order in which lots are named."""
    for choice in choices:
        quantity = Decimal(choice["quantity"])
        used = min(filled, quantity)
        filled -= used
        yield UUID(choice["lot_id"]), quantity - used
