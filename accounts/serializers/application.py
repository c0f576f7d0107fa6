"""The JSON of an application: the reference's form, with all that the broker takes."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

from rest_framework import serializers

from accounts.gateways import Application, normal_email
from accounts.serializers.documents import DocumentForm
from accounts.serializers.people import (
    ContactForm,
    DisclosuresForm,
    IdentityForm,
    TrustedContactForm,
)
from accounts.serializers.words import (
    ACCOUNT_SUB_TYPES,
    ACCOUNT_TYPES,
    AGREEMENTS,
    ASSET_CLASSES,
)
from core import crypto
from core.api.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictListField,
    StrictSerializer,
)
from core.auth import Kind, Principal

MOST_DOCUMENTS: Final = 10
# The sections that not every application has.
OPTIONAL: Final = (
    "documents",
    "trusted_contact",
    "account_type",
    "account_sub_type",
    "enabled_assets",
    "additional_information",
)


class AgreementForm(StrictSerializer):
    ignores_unknown = True
    agreement = serializers.ChoiceField(choices=AGREEMENTS)
    signed_at = serializers.DateTimeField(required=False, default_timezone=UTC)
    ip_address = serializers.IPAddressField(required=False)
    revision = StrictCharField(max_length=40, required=False)


class AlpacaData(StrictSerializer):
    ignores_unknown = True
    contact = ContactForm()
    identity = IdentityForm()
    disclosures = DisclosuresForm()
    agreements: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=AgreementForm(), allow_empty=False, max_length=len(AGREEMENTS)
    )
    documents: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=DocumentForm(), required=False, max_length=MOST_DOCUMENTS
    )
    trusted_contact = TrustedContactForm(required=False)
    account_type = serializers.ChoiceField(choices=ACCOUNT_TYPES, required=False)
    account_sub_type = serializers.ChoiceField(choices=ACCOUNT_SUB_TYPES, required=False)
    enabled_assets = StrictListField(
        child=serializers.ChoiceField(choices=ASSET_CLASSES),
        min_length=1,
        max_length=len(ASSET_CLASSES),
        required=False,
    )
    additional_information = StrictCharField(max_length=500, required=False)

    def validate_agreements(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse the same agreement twice."""
        names = [entry["agreement"] for entry in value]
        if len(set(names)) < len(names):
            raise serializers.ValidationError("Name each agreement once.")
        return value

    def validate_documents(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Write the files in base64 again, as they are sent and kept until then."""
        return [
            {**entry, "content": base64.b64encode(entry["content"]).decode()} for entry in value
        ]


class NewAccount(StrictSerializer):
    """The reference's body; reading it needs the moment (`at`) in the context."""

    ignores_unknown = True
    userId = StrictCharField(max_length=255)  # noqa: N815 - the reference's name
    alpacaData = AlpacaData()  # noqa: N815
    allow_duplicate = StrictBooleanField(required=False, default=False)

    def to_application(self, *, principal: Principal, ip_address: str) -> Application:
        """
        Make the application, with where and when it was signed.

        A customer's own word on that proves nothing, so it is what we saw; a service that
        collected the signatures earlier says it itself.
        """
        data = self.validated_data["alpacaData"]
        is_trusted = principal.kind is Kind.SERVICE
        at: datetime = self.context["at"]
        agreements = [
            _signed(entry, at=at, ip_address=ip_address, is_trusted=is_trusted)
            for entry in data["agreements"]
        ]
        return Application(
            contact=data["contact"],
            identity=data["identity"],
            disclosures=data["disclosures"],
            agreements=agreements,
            more={name: data[name] for name in OPTIONAL if name in data},
        )

    def meaning(self) -> dict[str, Any]:
        """Say what makes two forms the same, with fingerprints in place of secrets."""
        data = self.validated_data["alpacaData"]
        email = normal_email(data["contact"]["email_address"])
        said = {
            **data,
            "contact": {**data["contact"], "email_address": email},
            "agreements": sorted(entry["agreement"] for entry in data["agreements"]),
        }
        text = json.dumps(said, sort_keys=True)
        return {
            "user_id": self.validated_data["userId"],
            "application": crypto.blind_index(text, purpose="application"),
            "allow_duplicate": self.validated_data["allow_duplicate"],
        }


def _signed(
    entry: dict[str, Any], *, at: datetime, ip_address: str, is_trusted: bool
) -> dict[str, Any]:
    signed_at = entry.get("signed_at") if is_trusted else None
    given_ip = entry.get("ip_address") if is_trusted else None
    signed = {
        "agreement": entry["agreement"],
        "signed_at": (signed_at or at).astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "ip_address": given_ip or ip_address,
    }
    return signed | ({"revision": entry["revision"]} if "revision" in entry else {})
