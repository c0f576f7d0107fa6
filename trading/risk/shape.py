"""The broker's rules of a ticket by itself: what is an order at all, and of which kind."""

from collections.abc import Callable
from decimal import Decimal

from trading.risk.facts import Facts
from trading.states import OrderType, TimeInForce
from trading.tickets import Ticket

CENTS = Decimal("0.01")


SUB_DOLLAR_TICK = Decimal("0.0001")


SMALLEST_QUANTITY = Decimal("1e-9")


TOO_LARGE = Decimal(10) ** 12


Refusal = tuple[str, str, str]  # rule, field, detail


def _is_multiple(amount: Decimal, step: Decimal) -> bool:
    return amount % step == 0


def size_field(ticket: Ticket) -> str:
    return "notional_amount" if ticket.notional is not None else "units"


def _account(_ticket: Ticket, facts: Facts) -> Refusal | None:
    if facts.is_account_active:
        return None
    if facts.is_account_frozen:
        return "account_frozen", "account_id", "Orders are stopped for now; ask support."
    detail = f"The account is {facts.account_status or 'not open yet'}; only ACTIVE ones trade."
    return "account_not_active", "account_id", detail


def _instrument(ticket: Ticket, facts: Facts) -> Refusal | None:
    if facts.instrument is None:
        return "symbol_unknown", "ticker", f"{ticket.symbol} is not a symbol we know."
    if not facts.instrument.is_tradable:
        return "symbol_not_tradable", "ticker", f"{ticket.symbol} cannot be traded here."
    return None


def _size(ticket: Ticket, _facts: Facts) -> Refusal | None:
    if (ticket.quantity is None) == (ticket.notional is None):
        return "size_ambiguous", "units", "Give either units or notional_amount, not both."
    size = ticket.notional if ticket.notional is not None else ticket.quantity
    assert size is not None  # noqa: S101 - one of the two is given
    field = size_field(ticket)
    if not size.is_finite() or size <= 0:
        return "size_not_positive", field, "The size must be more than zero."
    if size >= TOO_LARGE:
        return "size_absurd", field, "The size has too many digits."
    step = CENTS if ticket.notional is not None else SMALLEST_QUANTITY
    if not _is_multiple(size, step):
        places = 2 if ticket.notional is not None else 9
        return "too_many_decimals", field, f"Use at most {places} decimal places."
    return None


def _fractions(ticket: Ticket, facts: Facts) -> Refusal | None:
    is_fractional = ticket.notional is not None or ticket.quantity != int(ticket.quantity or 0)
    if not is_fractional:
        return None
    assert facts.instrument is not None  # noqa: S101 - its rule came first
    field = size_field(ticket)
    if not facts.instrument.is_fractionable:
        return "not_fractionable", field, f"{ticket.symbol} is traded in whole shares only."
    if ticket.time_in_force != TimeInForce.DAY:
        detail = "Orders for dollars or fractions of shares are good for the day only."
        return "fraction_needs_day", "time_in_force", detail
    return None


def _limit_price(ticket: Ticket, _facts: Facts) -> Refusal | None:
    price = ticket.limit_price
    if ticket.order_type == OrderType.MARKET:
        if price is None:
            return None
        return "limit_price_unwanted", "limit_price", "A market order has no limit price."
    if price is None:
        return "limit_price_missing", "limit_price", "A limit order needs a limit price."
    if not price.is_finite() or not 0 < price < TOO_LARGE:
        return "limit_price_not_positive", "limit_price", "The price must be more than zero."
    tick = CENTS if price >= 1 else SUB_DOLLAR_TICK
    if not _is_multiple(price, tick):
        detail = "Prices of one dollar and more have 2 decimals, lower ones 4."
        return "sub_penny", "limit_price", detail
    return None


BEFORE_PRICE: tuple[Callable[[Ticket, Facts], Refusal | None], ...] = (
    _account,
    _instrument,
    _size,
    _limit_price,
    _fractions,
)


# A request that breaks one of these is not an order at all; nothing is kept of it.
SHAPE_RULES = frozenset(
    {
        "size_ambiguous",
        "size_not_positive",
        "size_absurd",
        "too_many_decimals",
        "limit_price_unwanted",
        "limit_price_missing",
        "limit_price_not_positive",
    }
)
