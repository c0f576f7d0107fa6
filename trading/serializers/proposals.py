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
from trading.models import Proposal
from trading.serializers.orders import OrderDetail
from trading.states import ProposalState, Side


class ProposalQuery(StrictSerializer):
    """The query of the list of proposals."""

    state = serializers.ChoiceField(choices=ProposalState.choices, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=100)


class ProposalDetail(serializers.Serializer[Proposal]):
    """A proposal with everything its hash covers."""

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=ProposalState.choices)
    text = serializers.CharField(help_text="What approving does, in one sentence.")
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=Side.choices)
    quantity = QuantityField(allow_null=True)
    notional = MoneyField(allow_null=True)
    quote_price = PriceField(places=9)
    quote_as_of = serializers.DateTimeField()
    price_low = PriceField(places=9)
    price_high = PriceField(places=9)
    hash = serializers.CharField(help_text="Send it back to approve exactly this.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    order = OrderDetail(allow_null=True)


class ProposalList(serializers.Serializer[dict[str, Any]]):
    """The customer's proposals, the newest first."""

    proposals = ProposalDetail(many=True)


class ApprovalBody(StrictSerializer):
    """What the customer was shown, by its hash."""

    hash = StrictCharField(min_length=64, max_length=64)


class RejectionBody(StrictSerializer):
    """Nothing needs to be said."""
