"""Taking a symbol out of trading, and letting it in again."""

from datetime import datetime
from typing import Final, NoReturn
from uuid import UUID

from core import audit
from core.auth import Principal, acting_as
from core.errors import CleraError, Invalid, NotFound
from trading.models import RestrictedSymbol
from trading.risk.shape import is_symbol
from trading.states import Side

_LONGEST: Final = 300


class AlreadyRestricted(CleraError):
    """The same restriction stands already."""

    code = "already_restricted"
    status = 409
    detail = "This symbol is restricted for that side already."


class RestrictionLifted(CleraError):
    """Somebody has lifted it before."""

    code = "restriction_lifted"
    status = 409
    detail = "This restriction was lifted already."


def restrict(
    *, staff: Principal, symbol: str, side: str, reason: str, at: datetime
) -> RestrictedSymbol:
    """
    Refuse orders for a symbol from the next one on: purchases, sales or, without a side, both.

    :raises Invalid: it is no symbol or no side, or no reason is given.
    :raises AlreadyRestricted: the same restriction stands.
    """
    name, why = symbol.strip().upper(), reason.strip()[:_LONGEST]
    if not is_symbol(name):
        _refuse("symbol", "Write a symbol as the exchange does, such as AAPL or BRK.B.")
    if side and side not in Side.values:
        _refuse("side", "BUY, SELL, or nothing for both.")
    if not why:
        _refuse("reason", "Write why, in a few words.")
    with acting_as(staff):
        row = RestrictedSymbol(
            symbol=name, side=side, reason=why, set_by=staff.name[:_LONGEST], set_at=at
        )
        # Of two at once the unique index lets one through, and the other changes nothing.
        RestrictedSymbol.objects.bulk_create([row], ignore_conflicts=True)
        if not RestrictedSymbol.objects.filter(pk=row.pk).exists():
            raise AlreadyRestricted
        _record("symbol.restricted", row, staff=staff, reason=why)
    return row


def lift_restriction(*, staff: Principal, restriction_id: UUID, at: datetime) -> RestrictedSymbol:
    """
    Let orders for a restricted symbol pass again; the row stays as the history.

    :raises NotFound: there is no such restriction.
    :raises RestrictionLifted: it was lifted before.
    """
    with acting_as(staff):
        rows = RestrictedSymbol.objects.select_for_update(no_key=True)
        row = rows.filter(pk=restriction_id).first()
        if row is None:
            raise NotFound("There is no such restriction.")
        if row.lifted_at is not None:
            raise RestrictionLifted
        row.lifted_by, row.lifted_at = staff.name[:_LONGEST], at
        row.save(update_fields=["lifted_by", "lifted_at"])
        _record("symbol.unrestricted", row, staff=staff, reason="")
    return row


def _record(deed: str, row: RestrictedSymbol, *, staff: Principal, reason: str) -> None:
    audit.record(
        deed,
        principal=staff,
        subject_kind="trading.RestrictedSymbol",
        subject_id=row.pk,
        reason=reason,
        symbol=row.symbol,
        side=row.side,
    )


def _refuse(field: str, rule: str) -> NoReturn:
    raise Invalid(f"{field}: {rule}", field_errors={field: [rule]})
