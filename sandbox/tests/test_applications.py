"""Applying for an account: everything that is asked, and each way to ask it wrongly."""

from typing import Any

import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.requests import CreateAccountRequest, ListAccountsRequest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk, application, paper

_ABROAD: dict[str, Any] = {
    "tax_id_type": "GBR_NINO",
    "tax_id": "QQ123456C",
    "country_of_tax_residence": "GBR",
}
_MINOR: dict[str, Any] = {
    "given_name": "Tim",
    "family_name": "Stone",
    "email": "tim@example.com",
    "date_of_birth": "2020-05-05",
    "tax_id": "234-56-7890",
    "tax_id_type": "USA_SSN",
    "country_of_citizenship": "USA",
    "country_of_birth": "USA",
    "country_of_tax_residence": "USA",
    "state": "CA",
}
_FIRM = {
    "context_type": "CONTROLLED_FIRM",
    "company_name": "Stone Ltd",
    "company_street_address": "1 Quarry Rd",
    "company_city": "Leeds",
    "company_country": "GBR",
    "company_compliance_email": "compliance@example.com",
}


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


def changed(section: str, **values: Any) -> dict[str, Any]:
    body = application()
    body[section] = body[section] | values
    return body


def refusal(desk: Desk, body: Any, status: int = 422) -> str:
    """Why an application is refused; that nothing came of it is checked too."""
    answer = desk.call("POST", "/v1/accounts", status=status, json=body)
    assert answer["code"] == {400: 40010000, 422: 40010001}[status]
    assert desk.server.effects() == []
    assert desk.call("GET", "/v1/accounts") == []
    return str(answer["message"])


class TestWholeModel:
    def test_every_section_comes_back_to_the_real_client(self, desk):
        key, secret = desk.server.auth
        client: Any = BrokerClient(key, secret, url_override=desk.server.broker_url)
        body = changed(
            "identity",
            middle_name="Augusta",
            visa_type="B1",
            visa_expiration_date="2030-01-31",
            date_of_departure_from_usa="2027-01-31",
            permanent_resident=False,
            annual_income_min=30000,
            annual_income_max=50000.5,
            total_net_worth_min=0,
        )
        body["contact"]["unit"] = "4b"
        body["disclosures"] |= {
            "employment_status": "EMPLOYED",
            "employer_name": "Stone Ltd",
            "employer_address": "1 Quarry Rd",
            "employment_position": "Engineer",
        }
        body["trusted_contact"] = {
            "given_name": "Jane",
            "family_name": "Doe",
            "phone_number": "+1 555 555 1234",
        }
        body["documents"] = [{"id": None, **paper("other")}]
        body["enabled_assets"] = ["us_equity", "crypto"]

        created = client.create_account(CreateAccountRequest(**body))
        account = client.get_account_by_id(created.id)
        client._session.close()

        assert account == created
        assert account.contact.unit == "4b"
        assert account.identity.middle_name == "Augusta"
        assert account.identity.visa_type == "B1"
        assert account.identity.annual_income_max == 50000.5
        assert account.identity.total_net_worth_min == 0
        assert account.identity.permanent_resident is False
        assert account.disclosures.employment_status == "EMPLOYED"
        assert account.trusted_contact.phone_number == "+1 555 555 1234"
        assert account.agreements[0].revision == "16.2021.05"
        assert [document.document_type for document in account.documents] == ["other"]
        assert account.documents[0].content is None
        assert account.crypto_status == "SUBMITTED"

    def test_what_is_not_known_is_not_kept(self, desk):
        body = changed("identity", social_security_number="123-45-6789", extra={"ssn": "1"})

        answer = desk.call("POST", "/v1/accounts", json=body)

        assert set(answer["identity"]) == set(application()["identity"]) - {"tax_id"}

    def test_the_number_of_a_person_is_never_answered(self, desk):
        answer = desk.send("GET", f"/v1/accounts/{desk.open_account()}").text

        assert "6789" not in answer
        assert "tax_id_type" in answer

    def test_an_employment_status_may_be_written_small(self, desk):
        body = changed("disclosures", employment_status="retired")

        answer = desk.call("POST", "/v1/accounts", json=body)

        assert answer["disclosures"]["employment_status"] == "RETIRED"

    def test_a_closed_account_keeps_its_address(self, desk):
        account_id = desk.open_account("ada@example.com")
        desk.call("POST", f"/v1/accounts/{account_id}/actions/close", status=204)

        answer = desk.call("POST", "/v1/accounts", status=409, json=application("Ada@Example.com"))

        assert answer["code"] == 40910000
        assert answer["existing_account_id"] == account_id
        assert len(desk.server.effects(kind="account.created")) == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("section", "name", "value", "message"),
        [
            ("contact", "email_address", "", "contact.email_address is required"),
            ("contact", "email_address", "ada", "contact.email_address is not valid"),
            ("contact", "phone_number", "ada@x.y", "contact.phone_number is not valid"),
            ("contact", "phone_number", "555", "contact.phone_number is not valid"),
            ("contact", "street_address", "1 Main St", "contact.street_address must be an array"),
            ("contact", "street_address", ["1"] * 4, "contact.street_address must be an array"),
            ("contact", "street_address", ["12"], "contact.street_address must not consist of"),
            ("contact", "city", "Zürich", "contact.city must be in latin characters"),
            ("contact", "country", "US", "contact.country must be an ISO 3166-1 alpha-3"),
            ("contact", "state", None, "contact.state is required"),
            ("identity", "given_name", 7, "identity.given_name must be a string"),
            ("identity", "date_of_birth", "1890-01-01", "identity.date_of_birth is too long ago"),
            ("identity", "date_of_birth", "01/02/1990", "identity.date_of_birth is not a date"),
            ("identity", "date_of_birth", "1990-02-30", "identity.date_of_birth is not a date"),
            ("identity", "date_of_birth", "2200-01-01", "identity.date_of_birth is in the future"),
            ("identity", "date_of_birth", "2020-01-01", "identity.date_of_birth is of a person"),
            ("identity", "tax_id", None, "identity.tax_id is required"),
            ("identity", "tax_id", "12345678", "identity.tax_id is not a valid SSN"),
            ("identity", "tax_id", "000-00-0000", "identity.tax_id is not a valid SSN"),
            ("identity", "tax_id_type", "SSN", "identity.tax_id_type must be one of"),
            ("identity", "tax_id_type", "USA_ITIN", "identity.tax_id is not a valid ITIN"),
            ("identity", "tax_id_type", "IND_PAN", "identity.tax_id is not a valid IND_PAN"),
            ("identity", "country_of_tax_residence", "", "identity.country_of_tax_residence is"),
            ("identity", "funding_source", ["gift"], "identity.funding_source[0] must be one of"),
            ("identity", "funding_source", "savings", "identity.funding_source must be an array"),
            ("identity", "permanent_resident", "yes", "identity.permanent_resident must be a bool"),
            ("identity", "annual_income_min", -1, "identity.annual_income_min must be a number"),
            ("identity", "annual_income_min", "much", "identity.annual_income_min must be a num"),
            ("identity", "visa_type", "F1", "identity.visa_expiration_date is required"),
            ("identity", "visa_type", "Z9", "identity.visa_type must be one of"),
            ("disclosures", "is_control_person", None, "disclosures.is_control_person is required"),
            ("disclosures", "is_control_person", "no", "disclosures.is_control_person must be a"),
            ("disclosures", "employment_status", "busy", "disclosures.employment_status must be"),
            ("disclosures", "context", [{}], "disclosures.context[0].context_type is required"),
        ],
    )
    def test_a_wrong_field_is_named(self, desk, section, name, value, message):
        assert refusal(desk, changed(section, **{name: value})).startswith(message)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("contact", None, "contact is required"),
            ("identity", "Ada", "identity must be an object"),
            ("agreements", [], "agreements is required"),
            ("agreements", [{}], "agreements[0].agreement is required"),
            ("trusted_contact", {"given_name": "Jane"}, "trusted_contact.family_name is required"),
            (
                "trusted_contact",
                {"given_name": "Jane", "family_name": "Doe", "city": "Leeds"},
                "trusted_contact must have one of email_address, phone_number, street_address",
            ),
            ("account_type", "margin", "account_type must be one of custodial, donor_advised, ira"),
            ("account_type", "ira", "account_sub_type must be one of roth, traditional"),
            ("account_sub_type", "roth", "account_sub_type is for ira accounts only"),
            ("account_type", "custodial", "minor_identity is required"),
            ("minor_identity", _MINOR, "minor_identity is for custodial accounts only"),
            ("enabled_assets", ["gold"], "enabled_assets[0] must be one of crypto"),
            ("documents", [{"document_type": "selfie"}], "documents[0].document_type must be one"),
            ("documents", [paper(content=b"") | {"content": "?"}], "documents[0].content is not"),
        ],
    )
    def test_a_wrong_section_is_named(self, desk, name, value, message):
        assert refusal(desk, application() | {name: value}).startswith(message)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("agreement", "sale", "agreements[0].agreement must be one of"),
            ("signed_at", "yesterday", "agreements[0].signed_at is not a timestamp"),
            ("signed_at", "2023-01-01T00:00:00", "agreements[0].signed_at is not a timestamp"),
            ("ip_address", "localhost", "agreements[0].ip_address is not an IP address"),
        ],
    )
    def test_a_wrong_signature_is_named(self, desk, name, value, message):
        body = application()
        body["agreements"][0][name] = value

        assert refusal(desk, body).startswith(message)

    @pytest.mark.parametrize("body", [[], "ada", 7])
    def test_a_body_that_is_no_object_is_refused(self, desk, body):
        assert refusal(desk, body, status=400) == "request body format is invalid"

    def test_a_range_cannot_end_before_it_begins(self, desk):
        body = changed("identity", liquid_net_worth_min="900", liquid_net_worth_max="1000.5")
        assert (
            desk.call("POST", "/v1/accounts", json=body)["identity"]["liquid_net_worth_max"]
            == "1000.5"
        )
        desk.server.control("reset")
        body["identity"]["liquid_net_worth_min"] = 1001

        message = "identity.liquid_net_worth_min must not exceed liquid_net_worth_max"
        assert refusal(desk, body) == message

    def test_a_visitor_says_when_he_leaves(self, desk):
        body = changed("identity", visa_type="B2", visa_expiration_date="2030-01-31")

        assert refusal(desk, body) == "identity.date_of_departure_from_usa is required"

    def test_a_permanent_resident_has_no_visa(self, desk):
        visa = {"visa_type": "F1", "visa_expiration_date": "2030-01-31"}
        body = changed("identity", permanent_resident=True, **visa)

        message = "identity.visa_type must be left out for a permanent resident"
        assert refusal(desk, body) == message

    @pytest.mark.parametrize("missing", ["company_name", "company_compliance_email"])
    def test_a_firm_is_described_in_full(self, desk, missing):
        firm = {name: value for name, value in _FIRM.items() if name != missing}

        message = refusal(desk, changed("disclosures", context=[firm]))

        assert message == f"disclosures.context[0].{missing} is required"

    def test_a_firm_in_the_usa_has_a_state(self, desk):
        firm = _FIRM | {"company_country": "USA"}

        message = refusal(desk, changed("disclosures", context=[firm]))

        assert message == "disclosures.context[0].company_state is required"


class TestKindsOfAccounts:
    def test_a_custodian_applies_for_a_minor(self, desk):
        body = application() | {"account_type": "custodial", "minor_identity": _MINOR}

        account = desk.account(desk.apply(body))

        assert account["account_type"] == "custodial"
        assert account["minor_identity"] == {
            name: value for name, value in _MINOR.items() if name != "tax_id"
        }

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("date_of_birth", "1990-05-05", "minor_identity.date_of_birth is not of a minor"),
            ("tax_id", "1", "minor_identity.tax_id is not a valid SSN"),
            ("tax_id", "", "minor_identity.tax_id is required"),
            ("state", "", "minor_identity.state is required"),
        ],
    )
    def test_a_minor_is_described_in_full(self, desk, name, value, message):
        minor = _MINOR | {name: value}
        body = application() | {"account_type": "custodial", "minor_identity": minor}

        assert refusal(desk, body) == message

    def test_a_pension_account_is_of_one_of_two_kinds(self, desk):
        body = application() | {"account_type": "ira", "account_sub_type": "roth"}

        assert desk.account(desk.apply(body))["account_sub_type"] == "roth"


class TestQuestions:
    """What an application leaves open is asked before it is approved."""

    def opened(self, desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
        account_id = desk.apply(body)
        desk.advance(5)
        return desk.account(account_id)

    def test_who_pays_taxes_elsewhere_owes_the_form(self, desk):
        account = self.opened(desk, changed("identity", **_ABROAD))

        assert account["status"] == "ACTION_REQUIRED"
        assert account["kyc_results"] == {
            "accept": {},
            "indeterminate": {"W8BEN_CORRECTION": {}},
            "reject": {},
            "additional_information": "",
            "summary": "fail",
        }

    def test_the_form_may_come_with_the_application(self, desk):
        body = changed("identity", **_ABROAD) | {
            "documents": [paper("w8ben", mime_type="application/pdf")]
        }

        account = self.opened(desk, body)

        assert account["status"] == "ACTIVE"
        assert "kyc_results" not in account

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("is_control_person", "CONTROL_PERSON"),
            ("is_affiliated_exchange_or_finra", "AFFILIATED"),
            ("is_politically_exposed", "PEP"),
            ("immediate_family_exposed", "FAMILY_MEMBER_PEP"),
        ],
    )
    def test_a_yes_among_the_disclosures_is_asked_about(self, desk, name, code):
        account = self.opened(desk, changed("disclosures", **{name: True}))

        assert account["status"] == "ACTION_REQUIRED"
        assert list(account["kyc_results"]["indeterminate"]) == [code]

    def test_the_context_of_a_yes_is_kept(self, desk):
        body = changed("disclosures", is_control_person=True, context=[_FIRM])

        assert self.opened(desk, body)["disclosures"]["context"] == [_FIRM]


class TestListing:
    def test_accounts_are_found_by_phone_status_and_time(self, desk):
        desk.apply(changed("contact", phone_number="555-000-1111"))
        desk.advance(5)
        desk.apply()
        key, secret = desk.server.auth
        client: Any = BrokerClient(key, secret, url_override=desk.server.broker_url)
        [newest, oldest] = client.list_accounts()

        by_phone = client.list_accounts(ListAccountsRequest(query="555-000-1111"))
        by_status = client.list_accounts(ListAccountsRequest(status=["SUBMITTED"]))
        later = client.list_accounts(ListAccountsRequest(created_after=oldest.created_at))
        sooner = client.list_accounts(ListAccountsRequest(created_before=newest.created_at))
        client._session.close()

        assert [account.id for account in by_phone] == [oldest.id]
        assert [account.id for account in by_status] == [newest.id]
        assert [account.id for account in later] == [newest.id]
        assert [account.id for account in sooner] == [oldest.id]
