"""What changes lots: fills, and shares that move without a trade; and the one order of both."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from trading.lots.cents import value_of
from trading.states import BasisSource, LotMethod, MovementKind
from trading.tickets import LotChoice

_ONE: Final = Decimal(1)
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)
Key = tuple[datetime, int, str]


@dataclass(frozen=True, kw_only=True)
class Fill:
    """
    A purchase or a sale that stands.

    `name` is the broker's, so that two at the same moment have one order whoever came first.
    `lot_id` is the lot that a purchase opens; `method` and `choices` say which ones a sale takes.
    Each share or contract stands for `multiplier` of what `price` is told for.
    """

    name: str
    fill_id: UUID
    lot_id: UUID
    order_id: UUID
    symbol: str
    is_buy: bool
    quantity: Decimal
    price: Decimal
    at: datetime
    multiplier: Decimal = _ONE
    method: LotMethod = LotMethod.FIFO
    choices: tuple[LotChoice, ...] = ()
    basis_source: BasisSource = BasisSource.TRADE

    @property
    def value(self) -> Decimal:
        """What was paid, or brought, in whole cents."""
        return value_of(self.quantity, self.price, self.multiplier)

    @property
    def key(self) -> Key:
        """Its place among all happenings: a purchase before a sale at the same moment."""
        return self.at, 1 if self.is_buy else 2, self.name


@dataclass(frozen=True, kw_only=True)
class Movement:
    """
    Shares that came (`quantity` above zero), went, or were exchanged for others without a trade.

    Lines of one corporate action have the same `group` and the same time. `cost` is that of all
    the shares, in dollars; nothing when nobody says it.
    """

    name: str
    movement_id: UUID
    kind: MovementKind
    symbol: str
    quantity: Decimal
    at: datetime
    cost: Decimal | None = None
    group: str = ""
    basis_source: BasisSource = BasisSource.UNKNOWN

    @property
    def key(self) -> Key:
        """Its place among all happenings; what was there before us comes first of all."""
        is_opening = self.kind == MovementKind.OPENING
        return _BEFORE_ALL if is_opening else self.at, 0, self.group or self.name

    @property
    def is_action(self) -> bool:
        """Say whether lots change by it and are neither opened nor closed."""
        return self.kind not in _IN_AND_OUT


_IN_AND_OUT: Final = frozenset(
    {
        MovementKind.OPENING,
        MovementKind.SPIN_OFF,
        MovementKind.TRANSFER,
        MovementKind.ADJUSTMENT,
    }
)
Happening = Fill | Movement


def in_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Sort by time, then kind, then name."""
    return sorted(happenings, key=lambda each: (each.key, _name(each)))


def _name(happening: Happening) -> str:
    return happening.name
