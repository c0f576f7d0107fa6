"""The fold: each happening in turn opens lots, closes them, or changes what they are."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Final
from uuid import UUID, uuid5

from trading.lots import choosing, wash
from trading.lots.cents import CENT, NANO, ZERO, spread
from trading.lots.dates import day_of, first_near, term_of
from trading.lots.happenings import Fill, Happening, Movement, in_order
from trading.lots.records import Closing, Lot
from trading.states import BasisSource, Term

_SHORT: Final = "short"


class Book:
    """
    The lots of an account, and the sales that may yet be washed.

    Happenings must come in their order. Whatever a happening changes is put into `lots` and
    `closings`, by id; open lots and losses from before are given to it at the start.
    """

    def __init__(self, lots: Iterable[Lot] = (), losses: Iterable[Closing] = ()) -> None:
        self.lots: dict[UUID, Lot] = {}
        self.closings: dict[UUID, Closing] = {}
        self._open: dict[str, list[Lot]] = defaultdict(list)
        self._losses: dict[str, list[Closing]] = defaultdict(list)
        self._taken: dict[tuple[UUID, UUID], Decimal] = defaultdict(Decimal)
        for lot in lots:
            self._open[lot.symbol].append(lot)
        for loss in losses:
            self._losses[loss.wash_symbol].append(loss)

    def quantity_of(self, symbol: str) -> Decimal:
        """Add up what is left of the lots of a symbol."""
        return sum((lot.remaining for lot in self._open[symbol]), ZERO)

    def is_short(self, symbol: str) -> bool:
        """Say whether more went than there was."""
        return any(lot.is_short for lot in self._open[symbol])

    def apply(self, happenings: Sequence[Happening]) -> None:
        """Go on with one fill, or with all lines of one corporate action."""
        first = happenings[0]
        if isinstance(first, Fill):
            self._buy(first) if first.is_buy else self._sell(first)
            return
        lines = [each for each in happenings if isinstance(each, Movement)]
        if first.is_action:
            self._exchange(lines)
        else:
            for line in lines:
                self._move(line)

    # Trades

    def _buy(self, fill: Fill) -> None:
        cost = fill.value
        lot = Lot(
            id=fill.lot_id,
            root_id=fill.lot_id,
            symbol=fill.symbol,
            acquired_at=fill.at,
            held_since=day_of(fill.at),
            quantity=fill.quantity,
            remaining=fill.quantity,
            cost=cost,
            left=cost,
            basis_source=fill.basis_source,
            order_id=fill.order_id,
            may_replace=True,
        )
        self._cover(lot, fill_id=fill.fill_id, order_id=fill.order_id, at=fill.at)
        if not lot.remaining:
            return
        near = first_near(day_of(fill.at))
        losses = self._losses[fill.symbol]
        losses[:] = [each for each in losses if each.unmatched and day_of(each.closed_at) >= near]
        # Of one sale the shares that were held longest come first, whatever anything is named.
        losses.sort(key=lambda each: (each.closed_at, each.held_since or date.min, each.id))
        for part in (lot, *wash.match_later(lot, losses)):
            self._add(part)
        self.closings.update((each.id, each) for each in losses if each.disallowed)

    def _sell(self, fill: Fill) -> None:
        taken = self._choose(fill)
        left = fill.quantity - sum((quantity for _, quantity in taken), ZERO)
        weights = [quantity for _, quantity in taken] + ([left] if left else [])
        proceeds = spread(fill.value, weights, unit=CENT)
        closings = [
            self._close(lot, quantity, dollars, fill)
            for (lot, quantity), dollars in zip(taken, proceeds, strict=False)
        ]
        self._tidy(fill.symbol)
        # Only now: what the same sale has taken replaces nothing.
        for closing in closings:
            if closing.is_loss:
                self._wash(closing)
        if left:
            name = uuid5(fill.fill_id, _SHORT)
            self._add(_short(name, fill.symbol, left, at=fill.at, proceeds=proceeds[-1]))

    def _choose(self, fill: Fill) -> list[tuple[Lot, Decimal]]:
        """Find which lots give how much; what was named is used up over the order's fills."""
        chosen = choosing.choose(self._open[fill.symbol], fill, taken=self._taken)
        for lot, quantity in chosen:
            for name in {lot.id, lot.root_id}:
                self._taken[fill.order_id, name] += quantity
        return chosen

    def _close(self, lot: Lot, quantity: Decimal, proceeds: Decimal, fill: Fill) -> Closing:
        basis = lot.take(quantity)
        closing = Closing(
            id=uuid5(fill.fill_id, str(lot.id)),
            fill_id=fill.fill_id,
            order_id=fill.order_id,
            lot_id=lot.id,
            root_id=lot.root_id,
            opened_by=lot.order_id,
            symbol=fill.symbol,
            wash_symbol=fill.symbol,
            quantity=quantity,
            proceeds=proceeds,
            basis=basis,
            term=term_of(lot.held_since, day_of(fill.at)),
            acquired_at=lot.acquired_at,
            held_since=lot.held_since,
            closed_at=fill.at,
        )
        self.lots[lot.id] = lot
        self.closings[closing.id] = closing
        return closing

    def _wash(self, closing: Closing) -> None:
        """Look what takes the place of shares sold at a loss, and remember what nothing does."""
        closing.unmatched = closing.quantity
        before = {lot.id: (lot, lot.remaining, lot.left) for lot in self._open[closing.symbol]}
        for part in wash.match_earlier(closing, self._open[closing.symbol]):
            self._add(part)
        for lot, remaining, left in before.values():
            if (lot.remaining, lot.left) != (remaining, left):
                self.lots[lot.id] = lot
        self._losses[closing.symbol].append(closing)

    def _cover(self, lot: Lot, *, fill_id: UUID, order_id: UUID, at: datetime) -> None:
        """Give new shares first to what was sold without having been there."""
        shorts = (each for each in self._open[lot.symbol] if each.is_short)
        for short in sorted(shorts, key=lambda each: (each.acquired_at or at, each.id)):
            quantity = min(lot.remaining, -short.remaining)
            if not quantity:
                break
            closing = Closing(
                id=uuid5(fill_id, str(short.id)),
                fill_id=fill_id,
                order_id=order_id,
                lot_id=short.id,
                root_id=short.root_id,
                opened_by=None,
                symbol=lot.symbol,
                wash_symbol=lot.symbol,
                quantity=quantity,
                proceeds=short.give_back(quantity),
                basis=lot.take(quantity),
                term=Term.SHORT,
                acquired_at=at,
                held_since=None,
                closed_at=at,
            )
            self.closings[closing.id] = closing
            self.lots[short.id] = short
        # Only the rest of them make a lot.
        lot.quantity, lot.cost = lot.remaining, lot.left
        self._tidy(lot.symbol)

    # Movements without a trade

    def _move(self, line: Movement) -> None:
        """Take shares in or out; what they are sold for is nobody's gain here."""
        if line.quantity > 0:
            self._take_in(line.movement_id, line.symbol, line.quantity, line)
            return
        missing = -line.quantity
        for lot in choosing.oldest_first(self._open[line.symbol]):
            part = min(lot.remaining, missing)
            if part:
                lot.take(part)
                self.lots[lot.id] = lot
                missing -= part
        if missing:
            self._add(_short(line.movement_id, line.symbol, missing, at=line.at))
        self._tidy(line.symbol)

    def _take_in(self, lot_id: UUID, symbol: str, quantity: Decimal, line: Movement) -> None:
        lot = Lot(
            id=lot_id,
            root_id=lot_id,
            symbol=symbol,
            acquired_at=None,
            held_since=None,
            quantity=quantity,
            remaining=quantity,
            cost=line.cost,
            left=line.cost,
            basis_source=line.basis_source,
        )
        self._cover(lot, fill_id=line.movement_id, order_id=line.movement_id, at=line.at)
        if lot.remaining:
            self._add(lot)

    def _exchange(self, lines: Sequence[Movement]) -> None:
        """
        Carry a corporate action out: its lines, added up by symbol, say what the shares become.

        With one symbol its lots grow or shrink, and cost what they did; with two, those of the
        one become shares of the other.
        """
        change: dict[str, Decimal] = defaultdict(Decimal)
        for line in lines:
            change[line.symbol] += line.quantity
        gone = [symbol for symbol, quantity in change.items() if quantity < 0]
        come = [symbol for symbol, quantity in change.items() if quantity > 0]
        if len(gone) == 1 and len(come) == 1:
            self._rename(gone[0], come[0], change, lines[0])
            return
        for line in lines:
            quantity = change.pop(line.symbol, ZERO)
            held = [lot for lot in self._open[line.symbol] if lot.remaining > 0]
            if held and self.quantity_of(line.symbol) + quantity > 0:
                self._scale(held, quantity)
            elif quantity:
                self._move(replace(line, quantity=quantity))

    def _scale(self, lots: Sequence[Lot], change: Decimal) -> None:
        if not change:
            return
        before = [lot.remaining for lot in lots]
        for lot, part in zip(lots, spread(change, before, unit=NANO), strict=True):
            lot.remaining += part
            lot.quantity += part
            self.lots[lot.id] = lot
        self._tidy(lots[0].symbol)

    def _rename(self, old: str, new: str, change: dict[str, Decimal], line: Movement) -> None:
        leaving, missing = [], -change[old]
        for lot in choosing.oldest_first(self._open[old]):
            part = min(lot.remaining, missing)
            if part:
                is_all = part == lot.remaining
                leaving.append(lot if is_all else lot.split_off(part, name=f"as:{new}"))
                self.lots[lot.id] = lot
                missing -= part
        come = change[new]
        known = _part_of_shares(come, -change[old] - missing, -change[old])
        if leaving:
            moved = [lot.remaining for lot in leaving]
            self._open[old] = [lot for lot in self._open[old] if lot not in leaving]
            for lot, quantity in zip(leaving, spread(known, moved, unit=NANO), strict=True):
                lot.quantity += quantity - lot.remaining
                lot.remaining, lot.symbol = quantity, new
                self._add(lot)
        if missing:
            self._add(_short(uuid5(line.movement_id, old), old, missing, at=line.at))
            self._take_in(uuid5(line.movement_id, new), new, come - known, line)
        for loss in self._losses.pop(old, []):
            loss.wash_symbol = new
            self.closings[loss.id] = loss
            self._losses[new].append(loss)
        self._tidy(old)

    # Keeping

    def _add(self, lot: Lot) -> None:
        self.lots[lot.id] = lot
        self._open[lot.symbol].append(lot)

    def _tidy(self, symbol: str) -> None:
        self._open[symbol] = [lot for lot in self._open[symbol] if lot.remaining]


def _short(
    lot_id: UUID,
    symbol: str,
    quantity: Decimal,
    *,
    at: datetime,
    proceeds: Decimal | None = None,
) -> Lot:
    """Note that more went than there was, which later shares make up for."""
    return Lot(
        id=lot_id,
        root_id=lot_id,
        symbol=symbol,
        acquired_at=at,
        held_since=None,
        quantity=-quantity,
        remaining=-quantity,
        cost=proceeds,
        left=proceeds,
        basis_source=BasisSource.UNKNOWN if proceeds is None else BasisSource.TRADE,
    )


def _part_of_shares(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Take as large a part of so many shares as `part` is of `whole`, to nine places."""
    return total if part == whole else spread(total, [part, whole - part], unit=NANO)[0]


def fold(happenings: Iterable[Happening]) -> Book:
    """Let everything happen, whatever order it is told in."""
    book = Book()
    for _, together in groupby(in_order(happenings), key=lambda each: each.key):
        book.apply(list(together))
    return book
