"""Questions about tax lots, and about what was gained with what was sold of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.db.models import Count, F, Sum

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from trading.lots.dates import day_of
from trading.models import Lot, LotClosing, LotPreference
from trading.states import LotMethod, Term

ZERO: Final = Decimal("0.00")
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """Some rows of a list, and where the next ones begin; nothing on the last page."""

    rows: Sequence[Row]
    next: int | None


@dataclass(frozen=True, kw_only=True)
class Total:
    """
    What the sales of one term come to; `counted` is what the tax law counts of the gain.

    Where the cost of what was sold is not known, nobody knows the gain, and `unknown_count` says
    of how many sales.
    """

    proceeds: Decimal = ZERO
    basis: Decimal = ZERO
    gain: Decimal = ZERO
    disallowed: Decimal = ZERO
    count: int = 0
    unknown_count: int = 0

    @property
    def counted(self) -> Decimal:
        """Leave the losses of wash sales out."""
        return self.gain + self.disallowed


@dataclass(frozen=True, kw_only=True)
class Gains:
    """What was realised in a year, by term, and the sales themselves."""

    year: int
    totals: dict[Term, Total]
    page: Page[LotClosing]


def list_lots(
    *,
    principal: Principal,
    account_id: str | UUID,
    symbol: str = "",
    is_open: bool | None = None,
    limit: int,
    offset: int,
) -> Page[Lot]:
    """
    List an account's lots by symbol, the oldest first; without `is_open`, sold ones as well.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        lots = Lot.objects.filter(account_id=account.pk)
        if symbol:
            lots = lots.filter(symbol=symbol)
        if is_open is not None:
            lots = lots.exclude(remaining=0) if is_open else lots.filter(remaining=0)
        by_age = F("acquired_at").asc(nulls_first=True)
        found = list(lots.order_by("symbol", by_age, "id")[offset : offset + limit + 1])
    return _page(found, limit=limit, offset=offset)


def gains_of(
    *,
    principal: Principal,
    account_id: str | UUID,
    year: int | None,
    symbol: str = "",
    limit: int,
    offset: int,
    at: datetime,
) -> Gains:
    """
    Add up what an account has gained and lost by sales of one year, this one if none is said.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    chosen = year or day_of(at).year
    with acting_as(principal):
        sold = LotClosing.objects.filter(account_id=account.pk, closed_on__year=chosen)
        if symbol:
            sold = sold.filter(symbol=symbol)
        sums = sold.values("term").annotate(
            all_proceeds=Sum("proceeds", default=ZERO),
            all_basis=Sum("basis", default=ZERO),
            all_gain=Sum("gain", default=ZERO),
            all_disallowed=Sum("disallowed", default=ZERO),
            count=Count("id"),
            known_count=Count("gain"),
        )
        totals = {Term(each["term"]): _total(each) for each in sums}
        found = list(sold.order_by("-closed_on", "-closed_at", "id")[offset : offset + limit + 1])
    return Gains(
        year=chosen,
        totals={term: totals.get(term, Total()) for term in Term},
        page=_page(found, limit=limit, offset=offset),
    )


def lot_method_of(*, principal: Principal, account_id: str | UUID) -> LotMethod:
    """
    Say which lots an account's sales take when nothing is named.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        chosen = LotPreference.objects.filter(pk=account.pk).values_list("method", flat=True)
        return LotMethod(chosen.first() or LotMethod.FIFO)


def _total(sums: Any) -> Total:
    return Total(
        proceeds=Decimal(sums["all_proceeds"]),
        basis=Decimal(sums["all_basis"]),
        gain=Decimal(sums["all_gain"]),
        disallowed=Decimal(sums["all_disallowed"]),
        count=int(sums["count"]),
        unknown_count=int(sums["count"]) - int(sums["known_count"]),
    )


def _page(found: list[Row], *, limit: int, offset: int) -> Page[Row]:
    is_last = len(found) <= limit
    return Page(rows=found[:limit], next=None if is_last else offset + limit)
