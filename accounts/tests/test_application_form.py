"""The whole account model: what the broker asks is asked here first, and named."""

import base64

import pytest

from accounts.serializers.words import TAX_ID_TYPES
from accounts.tests.factories import alpaca_data, customer, service
from accounts.tests.test_views import PATH, changed

pytestmark = pytest.mark.django_db

TRUSTED = {"given_name": "Bea", "family_name": "Stone", "phone_number": "+1 555 555 1111"}
UNREACHABLE = {"given_name": "Bea", "family_name": "Stone"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n...").decode()
PASSPORT = {
    "document_type": "identity_verification",
    "document_sub_type": "passport",
    "content": PNG,
    "mime_type": "image/png",
}
EMPLOYED = {
    "employment_status": "EMPLOYED",
    "employer_name": "Acme",
    "employer_address": "1 Road, Reno",
    "employment_position": "Baker",
}
VISA = {"visa_type": "H1B", "visa_expiration_date": "2030-01-01"}


def body(user_id="ada"):
    return {"userId": user_id, "alpacaData": alpaca_data()}


def whole():
    """An application with every section and field that the broker has."""
    data = alpaca_data()
    data["contact"]["unit"] = "4b"
    data["identity"] |= {
        "middle_name": "Q",
        "permanent_resident": False,
        **VISA,
        "annual_income_min": "25000",
        "annual_income_max": 50000,
        "liquid_net_worth_min": "0",
        "liquid_net_worth_max": "10000.50",
        "total_net_worth_min": "0",
        "total_net_worth_max": "20000",
    }
    data["disclosures"] |= EMPLOYED | {
        "context": [{"context_type": "CONTROLLED_FIRM", "company_name": "Acme"}]
    }
    data |= {
        "trusted_contact": TRUSTED,
        "documents": [PASSPORT],
        "account_type": "trading",
        "enabled_assets": ["us_equity"],
        "additional_information": "none",
    }
    return {"userId": "ada", "alpacaData": data}


def post(api, form, principal=None):
    return api(principal or customer("ada")).post(PATH, form, format="json")


def test_every_section_reaches_the_broker_as_it_takes_it(api, broker):
    answer = post(api, whole())

    assert answer.status_code == 201, answer.json()
    [sent] = broker.applications
    told = sent.as_body()
    assert told["trusted_contact"] == TRUSTED
    assert told["documents"] == [PASSPORT]
    assert told["disclosures"]["context"] == [
        {"context_type": "CONTROLLED_FIRM", "company_name": "Acme"}
    ]
    assert (told["identity"]["annual_income_min"], told["identity"]["annual_income_max"]) == (
        "25000.00", "50000.00",
    )  # fmt: skip
    assert told["identity"]["visa_expiration_date"] == "2030-01-01"
    assert (told["account_type"], told["enabled_assets"]) == ("trading", ["us_equity"])


def test_a_photographed_passport_fits_into_an_application(api, broker):
    photo = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(2 * 1024 * 1024)).decode()
    form = changed(body(), "alpacaData.documents", [PASSPORT | {"content": photo}])

    answer = post(api, form)

    assert answer.status_code == 201
    assert broker.applications[0].as_body()["documents"][0]["content"] == photo


def test_sections_that_are_not_given_are_not_sent(api, broker):
    post(api, body())

    assert set(broker.applications[0].as_body()) == {
        "contact", "identity", "disclosures", "agreements",
    }  # fmt: skip


@pytest.mark.parametrize("kind", TAX_ID_TYPES)
def test_every_type_of_tax_id_is_taken(api, broker, kind):
    number = {"USA_SSN": "123-45-6789", "USA_ITIN": "912-70-1234"}.get(kind, "AB.123/45-6")

    form = changed(body(), "alpacaData.identity.tax_id_type", kind)
    answer = post(api, changed(form, "alpacaData.identity.tax_id", number))

    assert answer.status_code == 201, answer.json()


def test_a_tax_id_may_be_missing_only_where_none_is_specified(api, broker):
    without = changed(body(), "alpacaData.identity.tax_id", ...)
    refused = post(api, without)
    taken = post(api, changed(without, "alpacaData.identity.tax_id_type", "NOT_SPECIFIED"))

    assert (refused.status_code, taken.status_code) == (400, 201)
    assert list(refused.json()["field_errors"]) == ["alpacaData.identity.tax_id"]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("identity.tax_id", "000-12-3456", "identity.tax_id"),
        ("identity.tax_id", "900-12-3456", "identity.tax_id"),
        ("identity.tax_id", "123-00-3456", "identity.tax_id"),
        ("identity.tax_id", "123-45-0000", "identity.tax_id"),
        ("identity.tax_id", "12345678", "identity.tax_id"),
        ("identity.tax_id", "१२३-४५-६७८९", "identity.tax_id"),
        ("identity.tax_id_type", "USA_TIN", "identity.tax_id_type"),
        ("identity.visa_type", "B2", "identity.visa_expiration_date"),
        ("identity.visa_type", "Z9", "identity.visa_type"),
        ("identity.visa_expiration_date", "01/01/2030", "identity.visa_expiration_date"),
        ("identity.annual_income_min", "NaN", "identity.annual_income_min"),
        ("identity.annual_income_min", "1e9", "identity.annual_income_min"),
        ("identity.annual_income_max", "-1", "identity.annual_income_max"),
        ("identity.permanent_resident", "yes", "identity.permanent_resident"),
        ("disclosures.employment_status", "EMPLOYED", "disclosures.employer_name"),
        ("disclosures.employment_status", "BUSY", "disclosures.employment_status"),
        ("disclosures.context", [{"context_type": "X"}], "disclosures.context.0.context_type"),
        ("trusted_contact", UNREACHABLE, "trusted_contact.phone_number"),
        ("trusted_contact", {"given_name": "B"}, "trusted_contact.family_name"),
        ("trusted_contact", TRUSTED | {"phone_number": "call"}, "trusted_contact.phone_number"),
        ("documents", [PASSPORT | {"content": "!!"}], "documents.0.content"),
        ("documents", [PASSPORT | {"content": ""}], "documents.0.content"),
        ("documents", [PASSPORT | {"mime_type": "application/pdf"}], "documents.0.mime_type"),
        ("documents", [PASSPORT | {"mime_type": "text/html"}], "documents.0.mime_type"),
        ("documents", [PASSPORT | {"document_type": "x"}], "documents.0.document_type"),
        ("account_type", "gambling", "account_type"),
        ("enabled_assets", ["tulips"], "enabled_assets.0"),
        ("enabled_assets", [], "enabled_assets"),
        ("additional_information", "x" * 501, "additional_information"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_kept(api, broker, path, value, field):
    answer = post(api, changed(body(), f"alpacaData.{path}", value))

    assert answer.status_code == 400
    assert f"alpacaData.{field}" in answer.json()["field_errors"]
    assert broker.applications == []


def test_a_range_that_ends_before_it_begins_is_refused(api, broker):
    form = changed(body(), "alpacaData.identity.annual_income_min", "100")
    answer = post(api, changed(form, "alpacaData.identity.annual_income_max", "99.99"))

    assert answer.json()["field_errors"] == {
        "alpacaData.identity.annual_income_max": ["Must be at least annual_income_min."]
    }


def test_no_refusal_repeats_what_was_sent(api, broker):
    canary = "987-65-432O"
    answer = post(api, changed(body(), "alpacaData.identity.tax_id", canary))

    assert answer.status_code == 400
    assert canary not in answer.content.decode()


def test_a_service_says_itself_when_and_where_it_was_signed(api, broker):
    post(api, body(), service())

    [agreement] = broker.applications[0].agreements
    assert agreement == {
        "agreement": "customer_agreement",
        "signed_at": "2023-01-01T00:00:00Z",
        "ip_address": "127.0.0.1",
    }


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("contact", "street_address"),
        ("identity", "funding_source"),
        ("disclosures", "context"),
        (None, "agreements"),
        (None, "documents"),
        (None, "enabled_assets"),
    ],
)
def test_a_list_without_end_is_refused_in_one_line(broker, api, section, name):
    form = body()
    part = form["alpacaData"][section] if section else form["alpacaData"]
    part[name] = [{}] * 1000

    answer = api(customer("ada")).post(PATH, form, format="json")

    path = ".".join(["alpacaData", *([section] if section else []), name])
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == [path]
    assert broker.applications == []
