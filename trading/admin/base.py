"""The columns of whatever has a side, a quantity and perhaps dollars."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from core.backoffice import columns
from trading.models import Execution, Order, Position, ProposalLine


def _size(quantity: Decimal | None, notional: Decimal | None) -> str:
    return columns.dollars(notional) if notional is not None else columns.shares(quantity)


class OfShares:
    """The columns of whatever has a side, a quantity and perhaps dollars."""

    @admin.display(description="side", ordering="side")
    def side_label(self, row: Any) -> SafeString:
        return columns.label(row.side)

    @admin.display(description="size")
    def size(self, row: Order | ProposalLine) -> str:
        """Show dollars or shares, whichever was asked for."""
        return _size(row.quantity, row.notional)

    @admin.display(description="taken back", ordering="is_busted")
    def busted(self, execution: Execution) -> SafeString | str:
        if not execution.is_busted:
            return columns.NOTHING
        return columns.label("taken back", colour="danger")

    @admin.display(description="quantity", ordering="quantity")
    def shares(self, row: Execution | Position) -> str:
        return columns.shares(row.quantity)
