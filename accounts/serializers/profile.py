"""The JSON of a customer's personal data: read at the broker, changed field by field."""

from typing import Any, Final, cast

from rest_framework import serializers

from accounts.gateways import OpenedAccount, normal_email
from accounts.models import BrokerageAccount, ContactChange
from accounts.serializers.people import (
    ChangedContact,
    ChangedTrustedContact,
    ContactForm,
    DisclosuresForm,
    IdentityForm,
    TrustedContactForm,
)
from core import crypto
from core.api.fields import StrictBooleanField, StrictSerializer

_FORMS: Final = {"contact": ContactForm, "trusted_contact": TrustedContactForm}
# What is shown of each section, whatever the broker adds to its own answers.
_SHOWN: Final = {
    "contact": frozenset(ContactForm().fields),
    "identity": frozenset(IdentityForm().fields) - {"tax_id"},
    "disclosures": frozenset(DisclosuresForm().fields),
    "trusted_contact": frozenset(TrustedContactForm().fields),
}
# Names and numbers are part of what the broker has verified; changing them takes a new check.
_FIXED_BECAUSE: Final = "Verified by the broker; ask support with a document that shows the change."


class ProfileChange(StrictSerializer):
    """The sections that change, with only the fields that change."""

    contact = ChangedContact(required=False)
    trusted_contact = ChangedTrustedContact(required=False)
    allow_duplicate = StrictBooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a change of nothing."""
        if not any(attrs.get(section) for section in _FORMS):
            raise serializers.ValidationError("Name at least one field to change.")
        return attrs

    def to_changes(self) -> dict[str, dict[str, Any]]:
        """Make what the service takes: the sections of which something changes."""
        given = {section: self.validated_data.get(section) for section in _FORMS}
        return {section: dict(values) for section, values in given.items() if values}

    def meaning(self) -> dict[str, Any]:
        """Say what makes two changes the same, with one fingerprint in place of the values."""
        changes = self.to_changes()
        contact = dict(changes.get("contact", {}))
        if "email_address" in contact:
            contact["email_address"] = normal_email(contact["email_address"])
        text = repr(sorted({**changes, "contact": contact}.items()))
        return {
            "values": crypto.blind_index(text, purpose="profile"),
            "allow_duplicate": self.validated_data["allow_duplicate"],
        }


class ProfileData(serializers.Serializer[Any]):
    account_id = serializers.CharField(read_only=True)
    contact = serializers.JSONField(read_only=True)
    identity = serializers.JSONField(read_only=True)
    disclosures = serializers.JSONField(read_only=True)
    trusted_contact = serializers.JSONField(read_only=True)


class ProfileAnswer(serializers.Serializer[Any]):
    """What the broker knows of the customer; of the tax id only its last four characters."""

    success = serializers.BooleanField(read_only=True)
    data = ProfileData(read_only=True)  # type: ignore[assignment]  # see StatusAnswer


class ChangeData(serializers.Serializer[ContactChange]):
    id = serializers.UUIDField(source="pk", read_only=True)
    fields = serializers.ListField(child=serializers.CharField(), read_only=True)  # type: ignore[assignment]
    state = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class ChangeAnswer(serializers.Serializer[Any]):
    """What became of a change; the values are not repeated."""

    success = serializers.BooleanField(read_only=True)
    data = ChangeData(read_only=True)  # type: ignore[assignment]


class UpdateableFields(serializers.Serializer[Any]):
    """Which fields a customer may change, and why not the others."""

    success = serializers.BooleanField(read_only=True)
    updateable_fields = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), read_only=True
    )
    fixed_fields = serializers.DictField(child=serializers.CharField(), read_only=True)


def profile_answer(account: BrokerageAccount, shown: OpenedAccount) -> dict[str, Any]:
    """Answer what the broker knows of the customer."""
    data: dict[str, Any] = {"account_id": account.public_id}
    for section, names in _SHOWN.items():
        told = shown.sections.get(section)
        data[section] = told and {name: told[name] for name in told if name in names}
    data["identity"] = {**(data["identity"] or {}), "tax_id_last4": account.tax_id_last4 or None}
    return cast("dict[str, Any]", ProfileAnswer({"success": True, "data": data}).data)


def updateable_fields() -> dict[str, Any]:
    """Answer which fields may be changed."""
    fixed = ("given_name", "family_name", "date_of_birth", "tax_id", "country_of_tax_residence")
    return {
        "success": True,
        "updateable_fields": {name: sorted(form().fields) for name, form in _FORMS.items()},
        "fixed_fields": {f"identity.{name}": _FIXED_BECAUSE for name in fixed},
    }
