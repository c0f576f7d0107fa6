"""The JSON in which accounts, their status and preferences are answered."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts import states
from accounts.models import BrokerageAccount, Preferences
from accounts.states import BuyingPowerDisplay
from core.api.fields import StrictSerializer
from core.auth import Principal
from core.intents.models import IntentStep


class NewAccountAnswer(serializers.Serializer[BrokerageAccount]):
    """The reference's answer."""

    id = serializers.CharField(source="public_id", read_only=True)
    account_number = serializers.SerializerMethodField()
    status = serializers.CharField(source="public_status", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)

    def get_account_number(self, account: BrokerageAccount) -> str | None:
        """Return nothing while the broker has not given one."""
        return account.account_number or None


class AccountDetail(NewAccountAnswer):
    """An account as `GET /api/me` shows it."""

    account_id = serializers.UUIDField(source="pk", read_only=True)
    email = serializers.CharField(source="email_masked", read_only=True)
    is_tradable = serializers.BooleanField(read_only=True)


class StatusData(serializers.Serializer[BrokerageAccount]):
    account_id = serializers.CharField(source="public_id", read_only=True)
    status = serializers.CharField(source="public_status", read_only=True)
    is_tradable = serializers.BooleanField(read_only=True)
    is_frozen = serializers.BooleanField(read_only=True)
    crypto_status = serializers.CharField(read_only=True)
    requirements = serializers.ListField(child=serializers.CharField(), read_only=True)
    next_step = serializers.SerializerMethodField()
    timestamp = serializers.DateTimeField(source="vendor_status_at", read_only=True)
    synced_to_database = serializers.SerializerMethodField()

    def get_next_step(self, account: BrokerageAccount) -> str | None:
        """Say what the customer can do now, or nothing when it is not their turn."""
        if account.is_frozen:
            return states.FROZEN_HINT
        return states.NEXT_STEPS.get(account.public_status)

    def get_synced_to_database(self, account: BrokerageAccount) -> bool:
        """Return true: what is answered was read from our own row."""
        return account.pk is not None


@extend_schema_serializer(component_name="AccountStatusAnswer")
class StatusAnswer(serializers.Serializer[Any]):
    """The original's wrapper around a status."""

    success = serializers.BooleanField(read_only=True)
    # Declared fields leave the class again, so the serializer's own `data` stays what it is.
    data = StatusData(read_only=True)  # type: ignore[assignment]


class WhoIAm(serializers.Serializer[Any]):
    """The credential, and the accounts it reaches."""

    user_id = serializers.CharField(read_only=True, allow_null=True)
    kind = serializers.CharField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True, allow_null=True)
    accounts = AccountDetail(many=True, read_only=True)


def who_i_am(principal: Principal, accounts: list[BrokerageAccount]) -> dict[str, Any]:
    """Answer `GET /api/me`."""
    shown = WhoIAm(
        {
            "user_id": principal.user_id,
            "kind": principal.kind.value,
            "expires_at": principal.expires_at,
            "accounts": accounts,
        }
    )
    return cast("dict[str, Any]", shown.data)


class StepDetail(serializers.Serializer[IntentStep]):
    """One step of an account's history."""

    at = serializers.DateTimeField(read_only=True)
    state = serializers.CharField(source="to_state", read_only=True)
    status = serializers.CharField(source="vendor_status", read_only=True)
    told_at = serializers.DateTimeField(source="vendor_at", read_only=True, allow_null=True)
    reason = serializers.CharField(read_only=True)


class HistoryAnswer(serializers.Serializer[Any]):
    """Every step, the oldest first."""

    success = serializers.BooleanField(read_only=True)
    steps = StepDetail(many=True, read_only=True)


class BuyingPowerChoice(StrictSerializer):
    """The original's body."""

    buying_power = serializers.ChoiceField(choices=BuyingPowerDisplay.choices)


class PreferencesData(serializers.Serializer[Preferences]):
    buying_power = serializers.CharField(read_only=True)


class PreferencesAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField(read_only=True)
    preferences = PreferencesData(read_only=True)
