"""The working orders of one symbol, sorted by the price at which each has its turn."""

from bisect import bisect_left, bisect_right, insort
from datetime import datetime
from decimal import Decimal

from sandbox.broker.records import Order
from sandbox.prices import Quote

_STOPS = frozenset({"stop", "stop_limit"})
# An order that is none of these does not work yet, or fills in its auction only.
_WORKING = frozenset({"new", "partially_filled", "pending_cancel", "pending_replace"})
_AUCTIONS = frozenset({"opg", "cls"})

# Which way the market must come: the side of the quote, and from where.
_Rung = tuple[str, bool]
_Entry = tuple[Decimal, datetime, str]


class Ladder:
    """
    Finds the orders that a quote reaches without looking at the others.

    What follows the market or takes any price has no rung, and is reached by every quote.
    """

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._rungs: dict[_Rung, list[_Entry]] = {
            (name, is_below): [] for name in ("bid", "ask", "last") for is_below in (False, True)
        }
        self._places: dict[str, tuple[_Rung, _Entry]] = {}
        self._always: dict[str, Order] = {}

    def __bool__(self) -> bool:
        return bool(self._orders)

    def put(self, order: Order) -> None:
        """Put a new or changed order where it belongs, or take it off if it does not work."""
        if place := self._places.pop(order.id, None):
            rung, entry = place
            entries = self._rungs[rung]
            del entries[bisect_left(entries, entry)]
        self._always.pop(order.id, None)
        self._orders.pop(order.id, None)
        if order.status not in _WORKING or order.time_in_force in _AUCTIONS:
            return
        self._orders[order.id] = order
        if found := _rung_of(order):
            rung, price = found
            entry = (price, order.submitted_at, order.id)
            insort(self._rungs[rung], entry)
            self._places[order.id] = (rung, entry)
        else:
            self._always[order.id] = order

    def reached(self, quote: Quote) -> list[Order]:
        """List the orders that may fill at this quote."""
        prices = {"bid": quote.bid, "ask": quote.ask, "last": quote.last}
        found = list(self._always.values())
        for (name, is_below), entries in self._rungs.items():
            if not entries:
                continue
            if is_below:  # the quote has come down to them
                hit = entries[bisect_left(entries, prices[name], key=_price) :]
            else:
                hit = entries[: bisect_right(entries, prices[name], key=_price)]
            found += [self._orders[order_id] for _, _, order_id in hit]
        return found


def _price(entry: _Entry) -> Decimal:
    return entry[0]


def _rung_of(order: Order) -> tuple[_Rung, Decimal] | None:
    if order.type in _STOPS and not order.is_triggered and order.stop_price is not None:
        return ("last", not order.is_buy), order.stop_price
    if order.type in {"limit", "stop_limit"} and order.limit_price is not None:
        return (("ask", True) if order.is_buy else ("bid", False)), order.limit_price
    return None
