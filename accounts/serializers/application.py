"""The JSON of accounts: the reference's application form, and what we answer."""

import re
from datetime import UTC, date, datetime
from typing import Any, Final, cast

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.gateways import Application, normal_email
from accounts.models import BrokerageAccount
from core import crypto
from core.api.fields import StrictBooleanField, StrictCharField, StrictSerializer
from core.auth import Kind, Principal

ADULT_YEARS: Final = 18
OLDEST_YEARS: Final = 130
_COUNTRY = "Write the country as three capital letters, such as USA."
_SSN = re.compile(r"\d{9}|\d{3}-\d{2}-\d{4}", re.ASCII)
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{5,18}[0-9]", re.ASCII)
_LEAST_PHONE_DIGITS: Final = 7
FUNDING_SOURCES: Final = (
    "employment_income",
    "investments",
    "inheritance",
    "business_income",
    "savings",
    "family",
)
AGREEMENTS: Final = (
    "account_agreement",
    "crypto_agreement",
    "custodial_customer_agreement",
    "customer_agreement",
    "margin_agreement",
    "options_agreement",
)


def _country() -> serializers.RegexField:
    return serializers.RegexField(r"\A[A-Z]{3}\Z", error_messages={"invalid": _COUNTRY})


class ContactForm(StrictSerializer):
    ignores_unknown = True
    email_address = serializers.EmailField(max_length=254)
    phone_number = StrictCharField(max_length=20)
    street_address = serializers.ListField(
        child=StrictCharField(max_length=100), min_length=1, max_length=3
    )
    unit = StrictCharField(max_length=20, required=False)
    city = StrictCharField(max_length=100)
    state = StrictCharField(max_length=50, required=False)
    postal_code = StrictCharField(max_length=20, required=False)
    country = _country()

    def validate_phone_number(self, value: str) -> str:
        """Refuse what nobody can dial."""
        if not _PHONE.fullmatch(value) or sum(map(str.isdigit, value)) < _LEAST_PHONE_DIGITS:
            raise serializers.ValidationError("Write 7 to 15 digits, such as +1 555 555 5555.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand what every address in the USA has."""
        missing = [name for name in ("state", "postal_code") if not attrs.get(name)]
        if attrs["country"] == "USA" and missing:
            raise serializers.ValidationError(
                {name: ["Needed for an address in the USA."] for name in missing}
            )
        return attrs


class IdentityForm(StrictSerializer):
    ignores_unknown = True
    given_name = StrictCharField(max_length=100)
    middle_name = StrictCharField(max_length=100, required=False)
    family_name = StrictCharField(max_length=100)
    date_of_birth = serializers.DateField(input_formats=["%Y-%m-%d"])
    tax_id_type = serializers.RegexField(
        r"\A[A-Z_]{3,30}\Z", error_messages={"invalid": "Write a type such as USA_SSN."}
    )
    tax_id = StrictCharField(max_length=40)
    country_of_citizenship = _country()
    country_of_birth = _country()
    country_of_tax_residence = _country()
    funding_source = serializers.ListField(
        child=serializers.ChoiceField(choices=FUNDING_SOURCES), min_length=1
    )

    def validate_date_of_birth(self, value: date) -> str:
        """Admit adults only."""
        today: datetime = self.context["at"]
        if value > today.date():
            raise serializers.ValidationError("A date of birth lies in the past.")
        years = today.year - value.year - ((today.month, today.day) < (value.month, value.day))
        if years < ADULT_YEARS:
            raise serializers.ValidationError(f"You must be at least {ADULT_YEARS} years old.")
        if years > OLDEST_YEARS:
            raise serializers.ValidationError("This date of birth is too long ago.")
        return value.isoformat()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Write a social security number in its one usual form."""
        if attrs["tax_id_type"] == "USA_SSN":
            if not _SSN.fullmatch(attrs["tax_id"]):
                rule = "A social security number has nine digits, with or without its two dashes."
                raise serializers.ValidationError({"tax_id": [rule]})
            digits = attrs["tax_id"].replace("-", "")
            attrs["tax_id"] = f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"
        return attrs


class DisclosuresForm(StrictSerializer):
    ignores_unknown = True
    is_control_person = StrictBooleanField()
    is_affiliated_exchange_or_finra = StrictBooleanField()
    is_politically_exposed = StrictBooleanField()
    immediate_family_exposed = StrictBooleanField()


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
    agreements = AgreementForm(many=True, allow_empty=False)

    def validate_agreements(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse the same agreement twice."""
        names = [entry["agreement"] for entry in value]
        if len(set(names)) < len(names):
            raise serializers.ValidationError("Name each agreement once.")
        return value


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
        )

    def meaning(self) -> dict[str, Any]:
        """Say what makes two forms the same, with fingerprints in place of secrets."""
        data = self.validated_data["alpacaData"]
        tax_id = crypto.blind_index(data["identity"]["tax_id"], purpose="tax_id")
        agreements = sorted(entry["agreement"] for entry in data["agreements"])
        return {
            "user_id": self.validated_data["userId"],
            "contact": {
                **data["contact"],
                "email_address": normal_email(data["contact"]["email_address"]),
            },
            "identity": {**data["identity"], "tax_id": tax_id},
            "disclosures": data["disclosures"],
            "agreements": agreements,
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
    timestamp = serializers.DateTimeField(source="vendor_status_at", read_only=True)
    synced_to_database = serializers.SerializerMethodField()

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
