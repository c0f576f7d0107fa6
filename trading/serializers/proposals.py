"""The JSON of proposals."""

from typing import Any

from rest_framework import serializers

from core.api.fields import (
    MoneyField,
    PriceField,
    QuantityField,
    StrictCharField,
    StrictSerializer,
)
from trading.models import Proposal, ProposalLine
from trading.serializers.orders import OrderDetail
from trading.states import (
    AfterHours,
    OrderClass,
    OrderType,
    ProposalOrigin,
    ProposalState,
    Side,
    TimeInForce,
)


class ProposalQuery(StrictSerializer):
    """The query of the list of proposals."""

    state = serializers.ChoiceField(choices=ProposalState.choices, required=False)
    account_id = StrictCharField(max_length=64, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=100)


class LotOfLine(serializers.Serializer[dict[str, Any]]):
    lot_id = serializers.UUIDField()
    quantity = serializers.CharField()


class ProposalLineDetail(serializers.Serializer[ProposalLine]):
    """One order of a proposal, exactly as it would be placed, and the price it was shown at."""

    position = serializers.IntegerField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=Side.choices)
    order_type = serializers.ChoiceField(choices=OrderType.choices)
    time_in_force = serializers.ChoiceField(choices=TimeInForce.choices)
    quantity = QuantityField(allow_null=True)
    notional = MoneyField(allow_null=True)
    limit_price = PriceField(places=9, allow_null=True)
    stop_price = PriceField(places=9, allow_null=True)
    trail_price = PriceField(places=9, allow_null=True)
    trail_percent = QuantityField(allow_null=True)
    extended_hours = serializers.BooleanField()
    order_class = serializers.ChoiceField(choices=OrderClass.choices)
    take_profit_price = PriceField(places=9, allow_null=True)
    stop_loss_price = PriceField(places=9, allow_null=True)
    stop_loss_limit_price = PriceField(places=9, allow_null=True)
    after_hours = serializers.ChoiceField(choices=AfterHours.choices)
    lots = LotOfLine(many=True, source="lot_choices")
    quote_price = PriceField(places=9)
    quote_as_of = serializers.DateTimeField()
    price_low = PriceField(places=9)
    price_high = PriceField(places=9)
    estimated_value = MoneyField(help_text="What it would cost or bring at the price shown.")
    order = OrderDetail(allow_null=True, help_text="What came of it, once it was approved.")


class ProposalDetail(serializers.Serializer[Proposal]):
    """A proposal with everything its hash covers; its orders are placed together or not at all."""

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    origin = serializers.ChoiceField(choices=ProposalOrigin.choices)
    run_id = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(choices=ProposalState.choices)
    text = serializers.CharField(help_text="What approving does, a bullet each.")
    warnings = serializers.ListField(child=serializers.CharField())
    estimated_total = MoneyField()
    lines = ProposalLineDetail(many=True, source="in_order")
    supersedes = serializers.UUIDField(
        source="supersedes_id", allow_null=True, help_text="The proposal whose place it took."
    )
    hash = serializers.CharField(help_text="Send it back to approve exactly this.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class ProposalList(serializers.Serializer[dict[str, Any]]):
    """The customer's proposals, the newest first."""

    proposals = ProposalDetail(many=True)


class ApprovalBody(StrictSerializer):
    """What the customer was shown, by its hash."""

    hash = StrictCharField(min_length=64, max_length=64)


class RejectionBody(StrictSerializer):
    """Nothing needs to be said."""
