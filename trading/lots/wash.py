"""Wash sales: a loss does not count while the same shares were bought within thirty days."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from trading.lots.cents import ZERO, part_of
from trading.lots.choosing import oldest_first
from trading.lots.dates import day_of, is_near, tacked
from trading.lots.records import Closing, Lot


def match_earlier(closing: Closing, lots: Iterable[Lot]) -> list[Lot]:
    """
    Match a loss with what was bought before the sale and is still there; list lots split off.

    The first that was bought is the first to take the place of what was sold. What was bought
    together with that replaces nothing.
    """
    sold, new = day_of(closing.closed_at), []
    for lot in oldest_first(lots):
        if closing.unmatched and not _is_together(closing, lot) and _is_free(lot, sold):
            new += _match(closing, lot)
    return new


def match_later(lot: Lot, losses: Iterable[Closing]) -> list[Lot]:
    """Match what was bought now with the losses of the days before; list lots split off."""
    new: list[Lot] = []
    for closing in losses:
        if closing.unmatched and _is_free(lot, day_of(closing.closed_at)):
            new += _match(closing, lot)
    return new


def _match(closing: Closing, lot: Lot) -> list[Lot]:
    """Move the loss of as many shares as can be from the sale to the lot in their place."""
    quantity = min(closing.unmatched, lot.remaining)
    loss = _loss_of(closing, quantity)
    closing.unmatched -= quantity
    closing.disallowed += loss
    is_part = quantity < lot.remaining
    washed = lot.split_off(quantity, name=f"wash:{closing.id}") if is_part else lot
    washed.add_loss(loss)
    washed.held_since = tacked(
        washed.held_since, sold=day_of(closing.closed_at), held_since=closing.held_since
    )
    return [washed] if is_part else []


def _loss_of(closing: Closing, quantity: Decimal) -> Decimal:
    """Tell the loss of so many of the shares; the last ones take all that is left of it."""
    whole = -(closing.gain or ZERO) - closing.disallowed
    return whole if quantity == closing.unmatched else part_of(whole, quantity, closing.unmatched)


def _is_together(closing: Closing, lot: Lot) -> bool:
    """Say whether the lot was bought with what was sold, as one purchase."""
    is_same_order = lot.order_id is not None and lot.order_id == closing.opened_by
    return lot.root_id == closing.root_id or is_same_order


def _is_free(lot: Lot, sold: date) -> bool:
    bought = lot.acquired_at
    is_open = lot.may_replace and lot.remaining > 0 and lot.left is not None
    return is_open and bought is not None and is_near(day_of(bought), sold)
