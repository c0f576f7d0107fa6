"""What accounts hold, exactly: as customers see it, and as the kernel wants it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b
from typing import Final, NamedTuple
from uuid import UUID

from core.money import plain

_ONE: Final = Decimal(1)
_ZERO: Final = Decimal(0)
_REVISION_BYTES: Final = 8


class Line(NamedTuple):
    """
    One instrument in an account, in floats for the kernel.

    `opening` is the quantity at the last close and `spent` what today's fills have cost on
    balance, so that `quantity * price - opening * close - spent` is today's return. Quantities
    count what a contract stands for, not contracts, and are below zero for what was sold short.
    """

    number: int
    quantity: float
    opening: float
    spent: float


class Position(NamedTuple):
    """
    One holding, exactly, as shown to the customer.

    `spent_today` is in quoted prices times quantities, so `multiplier` counts for it as well.
    """

    symbol: str
    number: int | None
    quantity: Decimal
    average_entry_price: Decimal
    opening_quantity: Decimal
    spent_today: Decimal
    previous_close: Decimal | None = None
    multiplier: Decimal = _ONE

    def line(self, number: int) -> Line:
        """Write it for the kernel."""
        quantities = self.quantity, self.opening_quantity, self.spent_today
        if self.multiplier != _ONE:
            quantity, opening, spent = (value * self.multiplier for value in quantities)
            return Line(number, float(quantity), float(opening), float(spent))
        return Line(number, *map(float, quantities))


@dataclass(frozen=True)
class AccountHoldings:
    """
    All of one account. `cash` is unknown until the broker was read once.

    What was sold out today is in it too, with quantity zero: it belongs to today's return. Money
    on its way is told beside the value and is no part of it. `day` is the one whose fills are told
    apart, counted as in `market.days`; zero is "whichever it is". Unless it `is_settled`, nobody
    could be asked about one of its instruments, which may be known later.
    """

    account_id: UUID
    cash: Decimal | None
    positions: Sequence[Position] = ()
    pending_deposits: Decimal = _ZERO
    pending_withdrawals: Decimal = _ZERO
    day: int = 0
    is_settled: bool = True

    def is_before(self, day: int) -> bool:
        """Say whether the fills told apart are those of an earlier day."""
        return 0 < self.day < day

    def lines(self) -> list[Line]:
        """Write the positions for the kernel; one of an unknown instrument has no place there."""
        return [p.line(p.number) for p in self.positions if p.number is not None]

    def unlisted(self) -> list[str]:
        """Name the symbols that have no instrument, and so never a price."""
        return [p.symbol for p in self.positions if p.number is None and p.quantity]

    def listing(self) -> list[tuple[str, int | None, Decimal | None]]:
        """Tell what a snapshot's positions are made from besides what makes the revision."""
        return [(p.symbol, p.number, p.previous_close) for p in self.positions if p.quantity]

    @cached_property
    def revision(self) -> str:
        """
        Name what a snapshot shows of the account, but for prices and what follows from them.

        Two processes that have read the same give it the same name.
        """
        cash = "?" if self.cash is None else f"{self.cash:.2f}"
        parts = [cash, f"{self.pending_deposits:.2f}", f"{self.pending_withdrawals:.2f}"]
        for p in sorted(self.positions, key=lambda position: position.symbol):
            if p.quantity:
                multiplier = "1" if p.multiplier == _ONE else plain(p.multiplier)
                entry_price = plain(p.average_entry_price)
                parts.append(f"{p.symbol} {plain(p.quantity)} {entry_price} {multiplier}")
        return blake2b("\n".join(parts).encode(), digest_size=_REVISION_BYTES).hexdigest()
