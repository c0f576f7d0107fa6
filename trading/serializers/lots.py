"""The JSON of tax lots and realised gains."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from core.api.fields import StrictSerializer
from core.money import Money, Price, Quantity
from trading.lots.dates import day_of, term_of
from trading.models import Lot, LotClosing
from trading.selectors.lots import Gains, Page, Total
from trading.serializers.base import Ticker, Word, text
from trading.states import LotMethod, Term

# Specific lots are named by an order; an account's own method is one of the others.
METHODS = [LotMethod.FIFO.value, LotMethod.HIFO.value]
_NEXT = "The `offset` of the next page, or null on the last one."


class LotsQuery(StrictSerializer):
    """Which lots, and how many at a time."""

    ignores_unknown = True
    symbol = Ticker(required=False, default="", max_length=32)
    open = serializers.BooleanField(
        required=False,
        default=None,
        allow_null=True,
        help_text="Only open ones, or only sold ones.",
    )
    limit = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=200)
    offset = serializers.IntegerField(min_value=0, max_value=10**6, required=False, default=0)


class GainsQuery(StrictSerializer):
    """Which sales, and how many at a time."""

    ignores_unknown = True
    year = serializers.IntegerField(
        min_value=1970,
        max_value=2200,
        required=False,
        default=None,
        allow_null=True,
        help_text="Without it, the year that it is in New York.",
    )
    symbol = Ticker(required=False, default="", max_length=32)
    limit = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=200)
    offset = serializers.IntegerField(min_value=0, max_value=10**6, required=False, default=0)


class LotAnswer(serializers.Serializer[Lot]):
    """
    Shares that were acquired together; amounts are strings, and null where nobody knows them.

    `cost_basis` is what the remaining shares have cost, `wash_sale_adjustment` the losses that are
    in the cost of all of them. `term` is that of a sale now.
    """

    id = serializers.UUIDField()
    symbol = serializers.CharField()
    acquired_at = serializers.DateTimeField(allow_null=True)
    held_since = serializers.DateField(allow_null=True)
    qty = serializers.CharField()
    remaining_qty = serializers.CharField()
    cost_basis = serializers.CharField(allow_null=True)
    cost_per_share = serializers.CharField(allow_null=True)
    wash_sale_adjustment = serializers.CharField()
    basis_source = serializers.CharField()
    term = serializers.CharField()
    order_id = serializers.UUIDField(allow_null=True)

    def to_representation(self, instance: Lot) -> dict[str, Any]:
        at: datetime = self.context["at"]
        return {
            "id": str(instance.pk),
            "symbol": instance.symbol,
            "acquired_at": instance.acquired_at,
            "held_since": instance.held_since,
            "qty": text(instance.quantity, Quantity),
            "remaining_qty": text(instance.remaining, Quantity),
            "cost_basis": text(instance.cost_left, Money),
            "cost_per_share": text(instance.cost_per_share, Price),
            "wash_sale_adjustment": text(instance.wash_added, Money),
            "basis_source": instance.basis_source,
            "term": term_of(instance.held_since, day_of(at)).value,
            "order_id": instance.order_id,
        }


class LotsAnswer(serializers.Serializer[Page[Lot]]):
    """A page of lots, by symbol, the oldest first."""

    lots = LotAnswer(source="rows", many=True)
    next = serializers.IntegerField(allow_null=True, help_text=_NEXT)


class TotalAnswer(serializers.Serializer[Total]):
    """
    What the sales of one term come to.

    `taxable_gain` is the gain without the losses of wash sales, which are disallowed.
    """

    proceeds = serializers.CharField()
    cost_basis = serializers.CharField()
    gain = serializers.CharField()
    wash_sale_disallowed = serializers.CharField()
    taxable_gain = serializers.CharField()
    count = serializers.IntegerField()
    unknown_count = serializers.IntegerField()

    def to_representation(self, instance: Total) -> dict[str, Any]:
        return {
            "proceeds": text(instance.proceeds, Money),
            "cost_basis": text(instance.basis, Money),
            "gain": text(instance.gain, Money),
            "wash_sale_disallowed": text(instance.disallowed, Money),
            "taxable_gain": text(instance.counted, Money),
            "count": instance.count,
            "unknown_count": instance.unknown_count,
        }


class SaleAnswer(serializers.Serializer[LotClosing]):
    """Shares of one lot that were sold together."""

    id = serializers.UUIDField()
    lot_id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    symbol = serializers.CharField()
    qty = serializers.CharField()
    proceeds = serializers.CharField(allow_null=True)
    cost_basis = serializers.CharField(allow_null=True)
    gain = serializers.CharField(allow_null=True)
    wash_sale_disallowed = serializers.CharField()
    term = serializers.CharField()
    acquired_at = serializers.DateTimeField(allow_null=True)
    sold_at = serializers.DateTimeField()

    def to_representation(self, instance: LotClosing) -> dict[str, Any]:
        return {
            "id": str(instance.pk),
            "lot_id": str(instance.lot_id),
            "order_id": str(instance.order_id),
            "symbol": instance.symbol,
            "qty": text(instance.quantity, Quantity),
            "proceeds": text(instance.proceeds, Money),
            "cost_basis": text(instance.basis, Money),
            "gain": text(instance.gain, Money),
            "wash_sale_disallowed": text(instance.disallowed, Money),
            "term": instance.term,
            "acquired_at": instance.acquired_at,
            "sold_at": instance.closed_at,
        }


class GainsAnswer(serializers.Serializer[Gains]):
    """What was realised in a year: sums by term, and the sales, the newest first."""

    year = serializers.IntegerField()
    short_term = TotalAnswer()
    long_term = TotalAnswer()
    unknown_term = TotalAnswer()
    sales = SaleAnswer(many=True)
    next = serializers.IntegerField(allow_null=True, help_text=_NEXT)

    def to_representation(self, instance: Gains) -> dict[str, Any]:
        sums = {term: TotalAnswer(total).data for term, total in instance.totals.items()}
        return {
            "year": instance.year,
            "short_term": sums[Term.SHORT],
            "long_term": sums[Term.LONG],
            "unknown_term": sums[Term.UNKNOWN],
            "sales": [SaleAnswer(sale).data for sale in instance.page.rows],
            "next": instance.page.next,
        }


class NewLotMethod(StrictSerializer):
    """Which lots sales take from now on: the oldest (FIFO) or the dearest (HIFO)."""

    method = Word(METHODS)


class LotMethodAnswer(serializers.Serializer[Any]):
    """The account's method; what was sold before it was chosen keeps the one of then."""

    method = serializers.ChoiceField(choices=METHODS)
