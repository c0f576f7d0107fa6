"""What an order is at all: its size and its prices, taken by themselves."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from trading.risk.facts import Facts
from trading.states import OrderClass, OrderType
from trading.tickets import Ticket

CENTS: Final = Decimal("0.01")
SUB_DOLLAR_TICK: Final = Decimal("0.0001")
SMALLEST_QUANTITY: Final = Decimal("1e-9")
SMALLEST_PERCENT: Final = Decimal("0.0001")
TOO_LARGE: Final = Decimal(10) ** 12
_WHOLE_PERCENT: Final = Decimal(100)
_LONGEST_SYMBOL: Final = 24
# AAPL, BRK.B, BTC/USD, BF-A: letters and digits, with one separator at most.
_SYMBOL: Final = re.compile(r"[A-Z0-9]+(?:[./-][A-Z0-9]+)?", re.ASCII)

Refusal = tuple[str, str, str]  # rule, field, detail
Rule = Callable[[Ticket, Facts], Refusal | None]

PRICES: Final = {
    "limit_price": "limit price",
    "stop_price": "stop price",
    "trail_price": "trail",
    "take_profit_price": "take-profit price",
    "stop_loss_price": "stop-loss price",
    "stop_loss_limit_price": "stop-loss limit",
}
# Which of the first two prices each type has.
_PRICES_OF: Final = {
    OrderType.MARKET: frozenset[str](),
    OrderType.LIMIT: frozenset({"limit_price"}),
    OrderType.STOP: frozenset({"stop_price"}),
    OrderType.STOP_LIMIT: frozenset({"limit_price", "stop_price"}),
    OrderType.TRAILING_STOP: frozenset[str](),
}
_EXITS: Final = ("take_profit_price", "stop_loss_price", "stop_loss_limit_price")


def is_symbol(text: str) -> bool:
    """Say whether a text is written as symbols are."""
    return len(text) <= _LONGEST_SYMBOL and _SYMBOL.fullmatch(text) is not None


def is_multiple(amount: Decimal, step: Decimal) -> bool:
    """Say whether an amount has no more places than a step."""
    return amount % step == 0


def is_fractional(ticket: Ticket) -> bool:
    """Say whether it asks for dollars, or for a part of a share."""
    return ticket.quantity is None or ticket.quantity != ticket.quantity.to_integral_value()


def size_field(ticket: Ticket) -> str:
    """Name the field that holds the size."""
    return "notional_amount" if ticket.notional is not None else "units"


def _symbol(ticket: Ticket, _facts: Facts) -> Refusal | None:
    if is_symbol(ticket.symbol):
        return None
    return "symbol_malformed", "ticker", "Write the symbol as the exchange does: AAPL, BRK.B."


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
    if not is_multiple(size, step):
        places = 2 if ticket.notional is not None else 9
        return "too_many_decimals", field, f"Use at most {places} decimal places."
    return None


def _positive(ticket: Ticket, _facts: Facts) -> Refusal | None:
    for field, name in PRICES.items():
        price = getattr(ticket, field)
        if price is not None and (not price.is_finite() or not 0 < price < TOO_LARGE):
            return f"{field}_not_positive", field, f"The {name} must be more than zero."
    percent = ticket.trail_percent
    if percent is None:
        return None
    if not percent.is_finite() or not 0 < percent < _WHOLE_PERCENT:
        detail = "The trail is a percentage above 0 and below 100."
        return "trail_percent_not_positive", "trail_percent", detail
    if not is_multiple(percent, SMALLEST_PERCENT):
        return "too_many_decimals", "trail_percent", "Use at most 4 decimal places."
    return None


def _prices(ticket: Ticket, _facts: Facts) -> Refusal | None:
    kind = ticket.order_type.label.lower()
    wanted = _PRICES_OF[ticket.order_type]
    if ticket.order_class == OrderClass.OCO:
        # Its two prices are those of the exits.
        if ticket.order_type != OrderType.LIMIT:
            return "oco_needs_limit", "order_type", "Of two exits (OCO) the first is a limit order."
        kind, wanted = "two-exit (OCO)", frozenset()
    for field in ("limit_price", "stop_price"):
        is_given = getattr(ticket, field) is not None
        if is_given and field not in wanted:
            return f"{field}_unwanted", field, f"A {kind} order has no {PRICES[field]}."
        if not is_given and field in wanted:
            return f"{field}_missing", field, f"A {kind} order needs a {PRICES[field]}."
    return None


def _trail(ticket: Ticket, _facts: Facts) -> Refusal | None:
    given = [name for name in ("trail_price", "trail_percent") if getattr(ticket, name) is not None]
    if ticket.order_type != OrderType.TRAILING_STOP:
        if not given:
            return None
        return f"{given[0]}_unwanted", given[0], "Only a trailing stop has a trail."
    if len(given) == 1:
        return None
    return "trail_ambiguous", "trail_percent", "Give either trail_price or trail_percent."


def _exits(ticket: Ticket, _facts: Facts) -> Refusal | None:
    given = [name for name in _EXITS if getattr(ticket, name) is not None]
    if ticket.order_class == OrderClass.SIMPLE:
        if not given:
            return None
        return f"{given[0]}_unwanted", given[0], "Only a BRACKET, OCO or OTO has exits."
    if ticket.stop_loss_limit_price is not None and ticket.stop_loss_price is None:
        detail = "A stop-loss limit needs a stop-loss price."
        return "stop_loss_price_missing", "stop_loss_price", detail
    return _exits_of_class(ticket)


def _exits_of_class(ticket: Ticket) -> Refusal | None:
    """Demand both exits, or of an OTO one of them."""
    missing = [name for name in _EXITS[:2] if getattr(ticket, name) is None]
    if ticket.order_class == OrderClass.OTO:
        if len(missing) == 1:
            return None
        return "exits_ambiguous", "order_class", "An OTO has one exit: a take-profit or a stop."
    if not missing:
        return None
    detail = f"A {ticket.order_class.label.upper()} needs a {PRICES[missing[0]]}."
    return f"{missing[0]}_missing", missing[0], detail


def _lots(ticket: Ticket, _facts: Facts) -> Refusal | None:
    if not ticket.lots:
        return None
    if ticket.is_buy:
        return "lots_unwanted", "lots", "Only a sale can say which lots it takes."
    if any(not lot.quantity.is_finite() or lot.quantity <= 0 for lot in ticket.lots):
        return "lots_not_positive", "lots", "Of each lot more than zero is taken."
    is_repeated = len({lot.lot_id for lot in ticket.lots}) < len(ticket.lots)
    total = sum((lot.quantity for lot in ticket.lots), Decimal(0))
    if is_repeated or total != ticket.quantity:
        detail = "Name each lot once; together they must be the units that are sold."
        return "lots_not_the_size", "lots", detail
    return None


FORM: Final[tuple[Rule, ...]] = (_symbol, _size, _positive, _prices, _trail, _exits, _lots)

# A request that breaks one of these is not an order at all; nothing is kept of it.
SHAPE_RULES: Final = frozenset(
    {
        "symbol_malformed",
        "size_ambiguous",
        "size_not_positive",
        "size_absurd",
        "too_many_decimals",
        "oco_needs_limit",
        "limit_price_unwanted",
        "limit_price_missing",
        "stop_price_unwanted",
        "stop_price_missing",
        "trail_price_unwanted",
        "trail_percent_unwanted",
        "trail_percent_not_positive",
        "trail_ambiguous",
        "take_profit_price_unwanted",
        "take_profit_price_missing",
        "stop_loss_price_unwanted",
        "stop_loss_price_missing",
        "stop_loss_limit_price_unwanted",
        "exits_ambiguous",
        "lots_unwanted",
        "lots_not_positive",
        "lots_not_the_size",
        *(f"{field}_not_positive" for field in PRICES),
    }
)
