"""The JSON of linked banks: the reference's bodies, and what we answer."""

import re
from typing import Any, Final

from rest_framework import serializers

from core import crypto
from core.api.fields import StrictBooleanField, StrictCharField
from funding.gateways import BankAccount
from funding.models import AchRelationship, number_index
from funding.serializers.named import AccountNamed
from funding.services.removals import Removal
from funding.states import CANCEL_REQUESTED, BankAccountType

_NUMBER: Final = re.compile(r"\d{4,17}", re.ASCII)
_ROUTING: Final = re.compile(r"\d{9}", re.ASCII)
_ABA_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1)


class NewBank(AccountNamed):
    """The reference's body for linking a bank by its numbers."""

    bankAccountType = serializers.ChoiceField(choices=BankAccountType.choices)  # noqa: N815
    bankAccountNumber = StrictCharField(max_length=40)  # noqa: N815
    bankRoutingNumber = StrictCharField(max_length=40)  # noqa: N815
    nickname = StrictCharField(max_length=100, required=False, allow_blank=True, default="")
    accountOwnerName = StrictCharField(  # noqa: N815
        max_length=200, required=False, allow_blank=True, default=""
    )
    allow_duplicate = StrictBooleanField(required=False, default=False)

    def validate_bankAccountNumber(self, value: str) -> str:  # noqa: N802
        """Refuse what is no account number."""
        if not _NUMBER.fullmatch(value):
            raise serializers.ValidationError("A bank account number has 4 to 17 digits.")
        return value

    def validate_bankRoutingNumber(self, value: str) -> str:  # noqa: N802
        """Refuse a routing number that has been mistyped."""
        if not _ROUTING.fullmatch(value) or not is_aba(value):
            rule = "A routing number has nine digits of which the last checks the others."
            raise serializers.ValidationError(rule)
        return value

    def to_bank(self) -> BankAccount:
        """Make what the broker is to be told."""
        data = self.validated_data
        return BankAccount(
            owner_name=data["accountOwnerName"],
            account_type=data["bankAccountType"],
            number=data["bankAccountNumber"],
            routing_number=data["bankRoutingNumber"],
            nickname=data["nickname"],
        )

    def meaning(self) -> dict[str, Any]:
        """Say what makes two bodies the same, with fingerprints in place of secrets."""
        data = self.validated_data
        owner = crypto.blind_index(data["accountOwnerName"], purpose="owner_name")
        return {
            "account_type": data["bankAccountType"],
            "number": number_index(data["bankRoutingNumber"], data["bankAccountNumber"]),
            "owner_name": owner,
            "nickname": data["nickname"],
            "allow_duplicate": data["allow_duplicate"],
        }


def is_aba(routing_number: str) -> bool:
    """Check the last digit of a routing number as the American Bankers Association does."""
    digits = [int(character) for character in routing_number]
    total = sum(w * d for w, d in zip(_ABA_WEIGHTS, digits, strict=True))
    return total > 0 and total % 10 == 0


class RelationshipNamed(AccountNamed):
    """The original's body for removing a bank."""

    relationshipId = StrictCharField(max_length=64)  # noqa: N815


class NewBankAnswer(serializers.Serializer[AchRelationship]):
    """The reference's answer."""

    id = serializers.CharField(source="public_id", read_only=True)
    status = serializers.CharField(source="public_status", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class RelationshipDetail(NewBankAnswer):
    """A linked bank in a list; the bank's name is null as long as nobody has told it."""

    status = serializers.CharField(source="shown_status", read_only=True)
    account_id = serializers.CharField(source="account.public_id", read_only=True)
    bank_name = serializers.SerializerMethodField()
    bank_account_type = serializers.CharField(source="account_type", read_only=True)
    last_4 = serializers.CharField(source="number_last4", read_only=True)
    nickname = serializers.CharField(read_only=True)

    def get_bank_name(self, bank: AchRelationship) -> str | None:
        """Return nothing for an unknown name."""
        return bank.bank_name or None


class RemovalAnswer(serializers.Serializer[Removal]):
    """The original's answer; until the broker has confirmed it, the removal is only asked for."""

    success = serializers.SerializerMethodField()
    id = serializers.CharField(source="bank.public_id", read_only=True)
    status = serializers.SerializerMethodField()

    def get_success(self, _removal: Removal) -> bool:
        """Return true: a failure is answered as a problem."""
        return True

    def get_status(self, removal: Removal) -> str:
        """Return the broker's word once it is certain."""
        return removal.bank.public_status if removal.is_certain else CANCEL_REQUESTED


class RelationshipsAnswer(serializers.Serializer[Any]):
    relationships = RelationshipDetail(many=True, read_only=True)
