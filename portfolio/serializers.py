"""The JSON of the portfolio app; the record itself is written by `portfolio.live.records`."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import MoneyField, ReferenceMoney
from funding.serializers.transfers import TransferDetail
from portfolio.selectors import FundingStatus


class PositionValue(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    quantity = serializers.CharField()
    average_entry_price = serializers.CharField()
    price = serializers.CharField(allow_null=True)
    previous_close = serializers.CharField(allow_null=True)
    market_value = serializers.CharField(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)
    flags = serializers.ListField(
        child=serializers.ChoiceField(["halted", "doubted", "stale"]),
        help_text="What is wrong with the price, which is the last good one; empty as a rule.",
    )


class LiveRecord(serializers.Serializer[Any]):
    """What an account is worth; `null` where that is not known."""

    type = serializers.ChoiceField(["snapshot", "update"])
    account_id = serializers.CharField()
    total_value = serializers.CharField(allow_null=True, help_text="For display: `$12345.67`.")
    today_return = serializers.CharField(
        allow_null=True, help_text="For display: `+$12.34 (0.56%)`."
    )
    raw_value = serializers.DecimalField(18, 2, allow_null=True, coerce_to_string=False)
    raw_return = serializers.DecimalField(18, 2, allow_null=True, coerce_to_string=False)
    raw_return_percent = serializers.DecimalField(9, 2, allow_null=True, coerce_to_string=False)
    timestamp = serializers.DateTimeField()
    seq = serializers.IntegerField()
    epoch = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)
    stale = serializers.BooleanField()
    currency = serializers.CharField()
    unpriced = serializers.ListField(child=serializers.CharField())
    revision = serializers.CharField(
        help_text="Another one whenever cash, money on its way, a position or the day is."
    )
    cash = serializers.CharField(allow_null=True)
    pending_deposits = serializers.CharField(help_text="On its way; no part of the value.")
    pending_withdrawals = serializers.CharField(help_text="On its way; no part of the value.")
    positions = PositionValue(many=True)


class ValueQuery(serializers.Serializer[Any]):
    """Whose value is asked for."""

    accountId = serializers.CharField(max_length=64)  # noqa: N815 - the reference's name


class FundingSource(serializers.Serializer[Any]):
    """A bank, and what has come from it and was not sent back."""

    bank_name = serializers.CharField(source="relationship.bank_name")
    last_4 = serializers.CharField(source="relationship.number_last4")
    status = serializers.CharField(source="relationship.public_status")
    total = MoneyField()
    count = serializers.IntegerField()
    last_at = serializers.DateTimeField(allow_null=True)


class FundingStatusAnswer(serializers.Serializer[FundingStatus]):
    """The original's answer; `null` where a figure is not known, and `unpriced` says why."""

    is_funded = serializers.BooleanField()
    cash_balance = ReferenceMoney(source="cash", allow_null=True)
    portfolio_value = ReferenceMoney(source="value", allow_null=True)
    unpriced = serializers.ListField(child=serializers.CharField())
    total_funded_amount = ReferenceMoney(source="funding.deposited")
    completed_transfers_count = serializers.IntegerField(source="funding.completed_count")
    pending_deposits = ReferenceMoney(source="funding.pending_in")
    pending_withdrawals = ReferenceMoney(source="funding.pending_out")
    funding_sources = serializers.SerializerMethodField()
    recent_transfers = TransferDetail(many=True, source="funding.latest")

    @extend_schema_field(serializers.DictField(child=FundingSource()))
    def get_funding_sources(self, status: FundingStatus) -> Any:
        """Show each bank under its id."""
        sources = status.funding.sources
        return {one.relationship.public_id: FundingSource(one).data for one in sources}
