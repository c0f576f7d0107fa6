"""The JSON of transfers: the reference's bodies, and what we answer."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import (
    ReferenceMoney,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
)
from funding import return_codes
from funding.models import Transfer, TransferReturn
from funding.serializers.named import AccountNamed
from funding.states import Direction

NO_CALENDAR: Final = "The broker's calendar was not known when it was asked for."


class NewTransfer(AccountNamed):
    """The reference's body; the original's frontend sends the amount as text."""

    relationshipId = StrictCharField(max_length=64)  # noqa: N815
    amount = ReferenceMoney()
    direction = serializers.ChoiceField(
        choices=Direction.choices, required=False, default=Direction.INCOMING.value
    )
    allow_duplicate = StrictBooleanField(required=False, default=False)

    def meaning(self) -> dict[str, Any]:
        """Say what makes two bodies the same, next to the account and the bank they name."""
        meant = ("amount", "direction", "allow_duplicate")
        return {name: self.validated_data[name] for name in meant}


class NewTransferAnswer(serializers.Serializer[Transfer]):
    """The reference's answer."""

    id = serializers.CharField(source="public_id", read_only=True)
    status = serializers.CharField(source="public_status", read_only=True)
    amount = ReferenceMoney(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class ReturnDetail(serializers.Serializer[TransferReturn]):
    """Why a bank has sent a transfer back; the code is null as long as nobody has told it."""

    code = serializers.SerializerMethodField()
    meaning = serializers.SerializerMethodField()

    def get_code(self, case: TransferReturn) -> str | None:
        """Return nothing for an unknown code."""
        return case.code or None

    def get_meaning(self, case: TransferReturn) -> str:
        """Put the code into words for the customer."""
        return return_codes.explain(case.code).meaning


class TransferDetail(NewTransferAnswer):
    """A transfer as the original lists it; what the broker has not told is null."""

    direction = serializers.CharField(read_only=True)
    updated_at = serializers.DateTimeField(source="vendor_status_at", read_only=True)
    type = serializers.SerializerMethodField()
    relationship_id = serializers.CharField(source="relationship.public_id", read_only=True)
    fee = ReferenceMoney(read_only=True)
    requested_amount = ReferenceMoney(source="amount", read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)
    state = serializers.CharField(read_only=True)
    reason = serializers.CharField(read_only=True)
    business_date = serializers.DateField(read_only=True)
    expected_on = serializers.DateField(read_only=True)
    no_dates_because = serializers.SerializerMethodField()
    is_cancelable = serializers.BooleanField(read_only=True)
    returned = serializers.SerializerMethodField()

    def get_type(self, _transfer: Transfer) -> str:
        """Return the one way we move money."""
        return "ach"

    def get_no_dates_because(self, transfer: Transfer) -> str | None:
        """Say why a date is null; null itself when none is."""
        return NO_CALENDAR if transfer.expected_on is None else None

    @extend_schema_field(ReturnDetail(allow_null=True))
    def get_returned(self, transfer: Transfer) -> Any:
        """Say why it was sent back; nothing when it was not."""
        case = getattr(transfer, "returned", None)  # a missing row has no attribute
        return None if case is None else ReturnDetail(case).data


class TransfersQuery(StrictSerializer):
    ignores_unknown = True
    limit = serializers.IntegerField(min_value=1, max_value=500, required=False, default=50)
    direction = serializers.ChoiceField(
        choices=Direction.choices, required=False, default=None, allow_null=True
    )


class TransfersAnswer(serializers.Serializer[Any]):
    """A page of transfers in the original's wrapper."""

    success = serializers.SerializerMethodField()
    transfers = TransferDetail(many=True, read_only=True)
    total_count = serializers.IntegerField(read_only=True)

    def get_success(self, _page: object) -> bool:
        """Return true: a failure is answered as a problem."""
        return True
