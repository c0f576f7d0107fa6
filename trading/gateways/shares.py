"""Lines of Alpaca's books about shares that move without a trade."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from core.errors import VendorUnavailable
from core.money import Money, NotAnAmount, Quantity
from core.vendors import alpaca
from trading.gateways import BrokerShares, Unreadable, coins
from trading.states import MovementKind

PAGE: Final = 100
_VENDOR: Final = "alpaca"
_LONGEST: Final = 100
K = MovementKind
# What the books call it. Dividends are of cash, save for one subtype.
_KINDS: Final[dict[str, MovementKind]] = {
    "SPLIT": K.SPLIT,
    "SSP": K.SPLIT,
    "NC": K.SYMBOL_CHANGE,
    "SC": K.SYMBOL_CHANGE,
    "SPIN": K.SPIN_OFF,
    "SSO": K.SPIN_OFF,
    "CIL": K.CASH_IN_LIEU,
    "MA": K.REORGANISATION,
    "REORG": K.REORGANISATION,
    "ACATS": K.TRANSFER,
    "JNLS": K.TRANSFER,
}
_DIVIDEND, _IN_SHARES = "DIV", "SDIV"
# The broker may answer with these, yet refuses a request that names them.
_NOT_TO_BE_NAMED: Final = frozenset({"SSP", "SSO"})
_VOID: Final = frozenset({"canceled", "cancelled", "deleted"})


def list_all(broker_account_id: str) -> list[BrokerShares]:
    """
    Read every line of an account that moves shares, the oldest first.

    :raises VendorError: the broker could not be read, or a line is not readable.
    """
    params = {
        "account_id": broker_account_id,
        "activity_types": ",".join(sorted({*_KINDS, _DIVIDEND} - _NOT_TO_BE_NAMED)),
        "direction": "asc",
        "page_size": str(PAGE),
    }
    found: dict[str, BrokerShares | None] = {}
    while True:
        page = _page(alpaca.broker().read("/v1/accounts/activities", params=params))
        is_new = any(name not in found for name in page)
        found |= page
        if not is_new:
            return [line for line in found.values() if line is not None]
        params["page_token"] = list(page)[-1]


def _page(answer: Any) -> dict[str, BrokerShares | None]:
    unreadable = VendorUnavailable(_VENDOR, "The list of activities is not readable.")
    if not isinstance(answer, list):
        raise unreadable
    try:
        return {str(line["id"]): _line(line) for line in answer}
    except (Unreadable, KeyError, TypeError, ArithmeticError, NotAnAmount) as error:
        raise unreadable from error


def _line(line: Mapping[str, Any]) -> BrokerShares | None:
    activity_type = str(line["activity_type"]).upper()
    subtype = str(line.get("activity_sub_type") or line.get("activity_subtype") or "").upper()
    kind = _KINDS.get(activity_type)
    if activity_type == _DIVIDEND:
        kind = K.STOCK_DIVIDEND if subtype == _IN_SHARES else None
    quantity = Decimal(line.get("qty") or 0)
    if kind is None or not quantity or not line.get("symbol"):
        return None
    at = _moment(line)
    return BrokerShares(
        activity_id=str(line["id"])[:_LONGEST],
        activity_type=activity_type,
        kind=kind,
        symbol=coins.with_slash(str(line["symbol"]))[:32],
        quantity=Quantity(quantity).amount,
        at=at,
        cost=_cost(line, kind, quantity),
        # Lines of one action name it alike; where they do not, their day has to do.
        group=str(line.get("group_id") or f"{activity_type}:{at.date()}")[:_LONGEST],
        previous_id=str(line.get("previous_id") or ""),
        is_canceled=str(line.get("status") or "").lower() in _VOID,
    )


def _cost(line: Mapping[str, Any], kind: MovementKind, quantity: Decimal) -> Decimal | None:
    """Read what came has cost; a fraction that was paid out has brought its cash."""
    if kind == K.CASH_IN_LIEU:
        return Money.rounded(Decimal(line.get("net_amount") or 0)).amount
    price = line.get("price") or line.get("per_share_amount")
    if price is None or quantity < 0:
        return None
    return Money.rounded(Decimal(price) * quantity).amount


def _moment(line: Mapping[str, Any]) -> datetime:
    for name in ("created_at", "transaction_time"):
        if (at := alpaca.read_time(line.get(name))) is not None:
            return at
    try:
        day = date.fromisoformat(str(line["date"]))
    except ValueError as error:
        raise Unreadable("An activity without a time.") from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
