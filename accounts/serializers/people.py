"""The parts of a form that say who somebody is and how they are reached."""

import re
from datetime import date, datetime
from typing import Any, Final

from rest_framework import serializers

from accounts.serializers.words import (
    DISCLOSURE_CONTEXTS,
    EMPLOYMENT,
    FUNDING_SOURCES,
    TAX_ID_TYPES,
    VISAS,
    VISITOR_VISAS,
)
from core.api.fields import (
    MoneyField,
    StrictBooleanField,
    StrictCharField,
    StrictEmailField,
    StrictListField,
    StrictSerializer,
)

ADULT_YEARS: Final = 18
OLDEST_YEARS: Final = 130
MOST_CONTEXTS: Final = 10
_COUNTRY = "Write the country as three capital letters, such as USA."
_US_NUMBER: Final = re.compile(r"\d{9}|\d{3}-\d{2}-\d{4}", re.ASCII)
_TAX_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./-]{2,39}", re.ASCII)
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ().-]{5,18}[0-9]", re.ASCII)
_LEAST_PHONE_DIGITS: Final = 7
# Bounds that belong together, as the broker names them.
_RANGES: Final = ("annual_income", "liquid_net_worth", "total_net_worth")


def _country(**options: Any) -> serializers.RegexField:
    return serializers.RegexField(r"\A[A-Z]{3}\Z", error_messages={"invalid": _COUNTRY}, **options)


def _dialable(value: str) -> str:
    """Refuse what nobody can dial."""
    if not _PHONE.fullmatch(value) or sum(map(str.isdigit, value)) < _LEAST_PHONE_DIGITS:
        raise serializers.ValidationError("Write 7 to 15 digits, such as +1 555 555 5555.")
    return value


def _demand(attrs: dict[str, Any], names: tuple[str, ...], *, why: str) -> None:
    missing = [name for name in names if not attrs.get(name)]
    if missing:
        raise serializers.ValidationError({name: [why] for name in missing})


class ContactForm(StrictSerializer):
    ignores_unknown = True
    email_address = StrictEmailField(max_length=254)
    phone_number = StrictCharField(max_length=20)
    street_address = StrictListField(
        child=StrictCharField(max_length=100), min_length=1, max_length=3
    )
    unit = StrictCharField(max_length=20, required=False)
    city = StrictCharField(max_length=100)
    state = StrictCharField(max_length=50, required=False)
    postal_code = StrictCharField(max_length=20, required=False)
    country = _country()

    def validate_phone_number(self, value: str) -> str:
        """Refuse what nobody can dial."""
        return _dialable(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand what every address in the USA has."""
        if attrs.get("country") == "USA":
            _demand(attrs, ("state", "postal_code"), why="Needed for an address in the USA.")
        return attrs


class IdentityForm(StrictSerializer):
    """Needs the moment (`at`) in the context, to tell who is of age."""

    ignores_unknown = True
    given_name = StrictCharField(max_length=100)
    middle_name = StrictCharField(max_length=100, required=False)
    family_name = StrictCharField(max_length=100)
    date_of_birth = serializers.DateField(input_formats=["%Y-%m-%d"])
    tax_id_type = serializers.ChoiceField(choices=TAX_ID_TYPES)
    tax_id = StrictCharField(max_length=40, required=False)
    country_of_citizenship = _country()
    country_of_birth = _country()
    country_of_tax_residence = _country()
    permanent_resident = StrictBooleanField(required=False)
    visa_type = serializers.ChoiceField(choices=VISAS, required=False)
    visa_expiration_date = serializers.DateField(input_formats=["%Y-%m-%d"], required=False)
    date_of_departure_from_usa = serializers.DateField(input_formats=["%Y-%m-%d"], required=False)
    funding_source = StrictListField(
        child=serializers.ChoiceField(choices=FUNDING_SOURCES),
        min_length=1,
        max_length=len(FUNDING_SOURCES),
    )
    annual_income_min = MoneyField(required=False, allow_zero=True)
    annual_income_max = MoneyField(required=False, allow_zero=True)
    liquid_net_worth_min = MoneyField(required=False, allow_zero=True)
    liquid_net_worth_max = MoneyField(required=False, allow_zero=True)
    total_net_worth_min = MoneyField(required=False, allow_zero=True)
    total_net_worth_max = MoneyField(required=False, allow_zero=True)

    def validate_date_of_birth(self, value: date) -> date:
        """Admit adults only."""
        today: datetime = self.context["at"]
        if value > today.date():
            raise serializers.ValidationError("A date of birth lies in the past.")
        years = today.year - value.year - ((today.month, today.day) < (value.month, value.day))
        if years < ADULT_YEARS:
            raise serializers.ValidationError(f"You must be at least {ADULT_YEARS} years old.")
        if years > OLDEST_YEARS:
            raise serializers.ValidationError("This date of birth is too long ago.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check what one field demands of another, and write values as the broker takes them."""
        if attrs["tax_id_type"] != "NOT_SPECIFIED":
            _demand(attrs, ("tax_id",), why="Needed unless its type is NOT_SPECIFIED.")
            attrs["tax_id"] = _usual_tax_id(attrs["tax_id_type"], attrs["tax_id"])
        _check_visa(attrs)
        _check_ranges(attrs)
        return {name: _as_text(value) for name, value in attrs.items()}


def _usual_tax_id(kind: str, given: str) -> str:
    """Refuse what cannot be such a number, and write a US one in its one usual form."""
    if kind not in {"USA_SSN", "USA_ITIN"}:
        if not _TAX_ID.fullmatch(given):
            rule = "Write 3 to 40 letters and digits; dots, dashes, slashes and spaces may stand."
            raise serializers.ValidationError({"tax_id": [rule]})
        return given
    name = "social security number" if kind == "USA_SSN" else "taxpayer number"
    if not _US_NUMBER.fullmatch(given):
        rule = f"A {name} has nine digits, with or without its two dashes."
        raise serializers.ValidationError({"tax_id": [rule]})
    digits = given.replace("-", "")
    if digits[0] != "9" and kind == "USA_ITIN":
        raise serializers.ValidationError({"tax_id": ["An ITIN begins with 9."]})
    if kind == "USA_SSN" and _was_never_issued(digits):
        raise serializers.ValidationError({"tax_id": [f"There is no such {name}."]})
    return f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"


def _was_never_issued(digits: str) -> bool:
    """Tell by the Social Security Administration's rules: areas 000 and 9xx, group 00, 0000."""
    return digits[:3] == "000" or digits[0] == "9" or digits[3:5] == "00" or digits[5:] == "0000"


def _check_visa(attrs: dict[str, Any]) -> None:
    if "visa_type" in attrs:
        _demand(attrs, ("visa_expiration_date",), why="Needed with a visa.")
    if attrs.get("visa_type") in VISITOR_VISAS:
        _demand(attrs, ("date_of_departure_from_usa",), why="Needed with a visitor's visa.")


def _check_ranges(attrs: dict[str, Any]) -> None:
    for name in _RANGES:
        low, high = attrs.get(f"{name}_min"), attrs.get(f"{name}_max")
        if low is not None and high is not None and low > high:
            rule = f"Must be at least {name}_min."
            raise serializers.ValidationError({f"{name}_max": [rule]})


def _as_text(value: Any) -> Any:
    """Write dates and amounts as the broker reads them: as text."""
    is_plain = isinstance(value, str | bool | list)
    return value if is_plain else value.isoformat() if isinstance(value, date) else str(value)


class DisclosureContextForm(StrictSerializer):
    """Who stands behind a yes: the firm that is controlled, or the family member."""

    ignores_unknown = True
    context_type = serializers.ChoiceField(choices=DISCLOSURE_CONTEXTS)
    company_name = StrictCharField(max_length=200, required=False)
    company_street_address = StrictCharField(max_length=200, required=False)
    company_city = StrictCharField(max_length=100, required=False)
    company_state = StrictCharField(max_length=50, required=False)
    company_country = _country(required=False)
    company_compliance_email = StrictEmailField(max_length=254, required=False)
    given_name = StrictCharField(max_length=100, required=False)
    family_name = StrictCharField(max_length=100, required=False)


class DisclosuresForm(StrictSerializer):
    ignores_unknown = True
    is_control_person = StrictBooleanField()
    is_affiliated_exchange_or_finra = StrictBooleanField()
    is_politically_exposed = StrictBooleanField()
    immediate_family_exposed = StrictBooleanField()
    employment_status = serializers.ChoiceField(choices=EMPLOYMENT, required=False)
    employer_name = StrictCharField(max_length=200, required=False)
    employer_address = StrictCharField(max_length=300, required=False)
    employment_position = StrictCharField(max_length=100, required=False)
    # Declared fields leave the class again, so the serializer's own `context` stays what it is.
    context: serializers.ListSerializer[Any] = serializers.ListSerializer(  # type: ignore[assignment]
        child=DisclosureContextForm(), required=False, max_length=MOST_CONTEXTS
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask the employed for their employer."""
        if attrs.get("employment_status") == "EMPLOYED":
            names = ("employer_name", "employer_address", "employment_position")
            _demand(attrs, names, why="Needed of who is employed.")
        return attrs


class TrustedContactForm(StrictSerializer):
    """Whom the broker may ask when it worries about a customer (FINRA rule 4512)."""

    ignores_unknown = True
    is_whole = True
    given_name = StrictCharField(max_length=100)
    family_name = StrictCharField(max_length=100)
    email_address = StrictEmailField(max_length=254, required=False)
    phone_number = StrictCharField(max_length=20, required=False)
    street_address = StrictListField(
        child=StrictCharField(max_length=100), min_length=1, max_length=3, required=False
    )
    city = StrictCharField(max_length=100, required=False)
    state = StrictCharField(max_length=50, required=False)
    postal_code = StrictCharField(max_length=20, required=False)
    country = _country(required=False)

    def validate_phone_number(self, value: str) -> str:
        """Refuse what nobody can dial."""
        return _dialable(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand one way to reach them."""
        ways = ("email_address", "phone_number", "street_address")
        if self.is_whole and not any(attrs.get(name) for name in ways):
            rule = "Give an e-mail address, a phone number or an address."
            raise serializers.ValidationError({name: [rule] for name in ways})
        return attrs


class ChangedFields(StrictSerializer):
    """Mixed into a form of which only the fields that change are sent."""

    is_whole = False

    def get_fields(self) -> dict[str, Any]:
        """Ask for none of the fields."""
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


class ChangedContact(ChangedFields, ContactForm):
    """The contact data that change."""


class ChangedTrustedContact(ChangedFields, TrustedContactForm):
    """What changes about the trusted contact."""
