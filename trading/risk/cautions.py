"""What stops no order, but is worth a sentence before somebody decides."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from trading.risk.facts import MarketQuote
from trading.risk.weight import Case
from trading.states import AfterHours, OrderType

_WIDE: Final = Decimal("0.01")
_MOVED: Final = Decimal("0.05")
_LARGE_PART: Final = Decimal("0.25")
_HALF: Final = Decimal("0.5")
# Without a limit price, what is paid is known only afterwards.
_AT_ANY_PRICE: Final = frozenset({OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP})


def cautions(case: Case, quote: MarketQuote) -> tuple[str, ...]:
    """Say what a careful broker would point out about an order."""
    return tuple(sentence for look in _LOOKS for sentence in look(case, quote))


def _spread(case: Case, quote: MarketQuote) -> Iterator[str]:
    if case.ticket.order_type not in _AT_ANY_PRICE or not 0 < quote.bid <= quote.ask:
        return
    spread = (quote.ask - quote.bid) / ((quote.ask + quote.bid) / 2)
    if spread > _WIDE:
        yield (
            f"Buyers and sellers are {spread:.1%} apart; without a limit price the order may be"
            " filled far from the last price."
        )


def _moved(_case: Case, quote: MarketQuote) -> Iterator[str]:
    close = quote.previous_close
    if not close:
        return
    change = (quote.last - close) / close
    if abs(change) > _MOVED:
        yield f"The price has moved by {change:+.1%} since the last close."


def _cash(case: Case, _quote: MarketQuote) -> Iterator[str]:
    spendable = case.facts.spendable
    if case.ticket.is_buy and spendable and case.value > spendable * _HALF:
        yield f"The order uses {case.value / spendable:.0%} of what the account can spend."


def _part(case: Case, _quote: MarketQuote) -> Iterator[str]:
    part = case.part_after
    if case.ticket.is_buy and part is not None and part > _LARGE_PART:
        yield f"With it {case.ticket.symbol} would be {part:.0%} of the account."


def _hours(case: Case, _quote: MarketQuote) -> Iterator[str]:
    session = case.facts.session
    if session is None:
        yield "Whether the market is open could not be found out."
    elif not session.lets_trade(case.ticket):
        when = "at the open" if case.ticket.after_hours == AfterHours.QUEUE_FOR_OPEN else "later"
        yield f"The market is closed; the order can be filled {when}, at another price."


_LOOKS: Final[tuple[Callable[[Case, MarketQuote], Iterator[str]], ...]] = (
    _spread,
    _moved,
    _cash,
    _part,
    _hours,
)
