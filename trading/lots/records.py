"""A lot, and what became of a part of it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid5

from trading.lots.cents import ZERO, part_of
from trading.states import BasisSource, Term


@dataclass(kw_only=True)
class Lot:
    """
    Shares of one symbol that were acquired together.

    `cost` is what all of them have cost, `left` what those that remain have; both are unknown
    where nobody has said it. `root_id` is the lot that this one was split off from, or itself.
    `remaining` is below zero where more was sold than there was, and `left` the proceeds of that.
    """

    id: UUID
    root_id: UUID
    symbol: str
    acquired_at: datetime | None
    held_since: date | None
    quantity: Decimal
    remaining: Decimal
    cost: Decimal | None
    left: Decimal | None
    basis_source: BasisSource
    order_id: UUID | None = None
    wash_added: Decimal = ZERO
    # Only shares that were bought, and each only once, take the place of others sold at a loss.
    may_replace: bool = False

    @property
    def is_short(self) -> bool:
        return self.remaining < 0

    def take(self, quantity: Decimal) -> Decimal | None:
        """Take shares out and return what they have cost; the last ones take all that is left."""
        basis = self.left
        if self.left is not None:
            is_all = quantity == self.remaining
            basis = self.left if is_all else part_of(self.left, quantity, self.remaining)
            self.left -= basis
        self.remaining -= quantity
        return basis

    def give_back(self, quantity: Decimal) -> Decimal | None:
        """Put shares into a lot below zero and return what they were sold for."""
        proceeds = self.left
        if self.left is not None:
            is_all = quantity == -self.remaining
            proceeds = self.left if is_all else part_of(self.left, quantity, -self.remaining)
            self.left -= proceeds
        self.remaining += quantity
        return proceeds

    def add_loss(self, loss: Decimal) -> None:
        """Add the loss of a sale that the shares have washed to what they have cost, once."""
        self.may_replace = False
        self.wash_added += loss
        if self.cost is not None and self.left is not None:
            self.cost += loss
            self.left += loss

    def split_off(self, quantity: Decimal, *, name: str) -> "Lot":
        """Make a lot of its own of some of the shares that remain."""
        basis = self.take(quantity)
        self.quantity -= quantity
        if self.cost is not None and basis is not None:
            self.cost -= basis
        return Lot(
            id=uuid5(self.id, name),
            root_id=self.root_id,
            symbol=self.symbol,
            acquired_at=self.acquired_at,
            held_since=self.held_since,
            quantity=quantity,
            remaining=quantity,
            cost=basis,
            left=basis,
            basis_source=self.basis_source,
            order_id=self.order_id,
            may_replace=self.may_replace,
        )


@dataclass(kw_only=True)
class Closing:
    """
    Shares of one lot that were sold (or, of a lot below zero, bought back) with one fill.

    `unmatched` is of how many shares the loss may still turn out to be that of a wash sale, by a
    purchase of `wash_symbol`; `disallowed` is what has. `opened_by` is the order that the lot was
    bought with.
    """

    id: UUID
    fill_id: UUID
    order_id: UUID
    lot_id: UUID
    root_id: UUID
    opened_by: UUID | None
    symbol: str
    wash_symbol: str
    quantity: Decimal
    proceeds: Decimal | None
    basis: Decimal | None
    term: Term
    acquired_at: datetime | None
    held_since: date | None
    closed_at: datetime
    disallowed: Decimal = ZERO
    unmatched: Decimal = ZERO

    @property
    def gain(self) -> Decimal | None:
        """What was gained or, below zero, lost, whether or not the tax law counts it."""
        if self.proceeds is None or self.basis is None:
            return None
        return self.proceeds - self.basis

    @property
    def is_loss(self) -> bool:
        return self.gain is not None and self.gain < 0
