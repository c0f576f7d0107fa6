"""What accounts answer over HTTP."""

import copy

import pytest

from accounts.models import BrokerageAccount
from accounts.tests.factories import alpaca_data, customer, make_account, service
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear

PATH = "/create-alpaca-account"

pytestmark = pytest.mark.django_db


def body_for(user_id, **identity):
    data = alpaca_data()
    data["identity"] |= identity
    return {"userId": user_id, "alpacaData": data}


def changed(body, path, value):
    """Put a value at a dotted path, or take the key away when the value is `...`."""
    body = copy.deepcopy(body)
    part = body
    *parents, last = path.split(".")
    for name in parents:
        part = part[int(name)] if name.isdigit() else part[name]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return body


class TestCreateAccount:
    def test_answers_the_references_shape(self, api, broker):
        answer = api(customer("ada")).post(PATH, body_for("ada"), format="json")

        [opened] = broker.accounts.values()
        assert answer.status_code == 201
        assert answer.json() == {
            "id": opened.broker_account_id,
            "account_number": opened.account_number,
            "status": "SUBMITTED",
            "created_at": answer.json()["created_at"],
        }
        assert answer.json()["created_at"].endswith("Z")

    def test_is_202_with_our_id_while_the_outcome_is_unknown(self, api, broker):
        broker.fails_after = VendorUnclear("fake", "no answer")

        answer = api(customer("ada")).post(PATH, body_for("ada"), format="json")

        with acting_as(SYSTEM):
            account = BrokerageAccount.objects.get()
        assert answer.status_code == 202
        assert (answer.json()["id"], answer.json()["status"]) == (str(account.pk), "PENDING")
        assert answer.json()["account_number"] is None

    def test_the_same_body_again_within_a_minute_is_noticed(self, api, broker):
        body = body_for("ada")
        client = api(customer("ada"))

        first = client.post(PATH, body, format="json")
        again = client.post(PATH, body, format="json")

        assert (first.status_code, again.status_code) == (201, 409)
        assert again.json()["code"] == "possible_duplicate"
        assert len(broker.applications) == 1

    def test_the_same_key_gets_the_same_bytes(self, api, broker):
        body = body_for("ada")
        client = api(customer("ada"))

        first = client.post(PATH, body, format="json", headers={"Idempotency-Key": "k1"})
        again = client.post(PATH, body, format="json", headers={"Idempotency-Key": "k1"})

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(broker.applications) == 1

    def test_a_customer_may_only_name_themself(self, api, broker):
        answer = api(customer("eve")).post(PATH, body_for("ada"), format="json")

        assert (answer.status_code, answer.json()["code"]) == (403, "user_mismatch")
        assert broker.applications == []

    def test_a_service_may_name_a_customer_when_it_may_act_for_them(self, api, broker):
        allowed = api(service()).post(PATH, body_for("ada"), format="json")
        refused = api(service("accounts:write")).post(PATH, body_for("bob"), format="json")

        assert (allowed.status_code, refused.status_code) == (201, 403)
        with acting_as(SYSTEM):
            assert BrokerageAccount.objects.get().user_id == "ada"

    def test_a_key_without_the_scope_is_refused(self, api, broker):
        answer = api(service("accounts:read", "act_for")).post(PATH, body_for("a"), format="json")

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    def test_where_and_when_a_customer_signs_is_what_we_saw(self, api, broker):
        api(customer("ada")).post(PATH, body_for("ada"), format="json", REMOTE_ADDR="10.1.2.3")

        [agreement] = broker.applications[0].agreements
        assert agreement["ip_address"] == "10.1.2.3"
        assert not agreement["signed_at"].startswith("2023")

    def test_a_service_says_itself_where_and_when_its_customer_signed(self, api, broker):
        api(service()).post(PATH, body_for("ada"), format="json")

        assert list(broker.applications[0].agreements) == [
            {
                "agreement": "customer_agreement",
                "signed_at": "2023-01-01T00:00:00Z",
                "ip_address": "127.0.0.1",
            }
        ]

    def test_a_taken_address_is_a_conflict_with_the_references_code(self, api, broker):
        body = body_for("ada")
        api(customer("ada")).post(PATH, body, format="json")

        answer = api(customer("bob")).post(PATH, {**body, "userId": "bob"}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "EMAIL_EXISTS")
        assert "another address" in answer.json()["detail"]

    @pytest.mark.parametrize("tax_id", ["123-45-6789", "123456789"])
    def test_a_tax_id_reaches_the_broker_in_one_form(self, api, broker, tax_id):
        api(customer("ada")).post(PATH, body_for("ada", tax_id=tax_id), format="json")

        assert broker.applications[0].identity["tax_id"] == "123-45-6789"

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("userId", ...),
            ("alpacaData", ...),
            ("alpacaData", []),
            ("alpacaData.contact", ...),
            ("alpacaData.contact.email_address", "not-an-address"),
            ("alpacaData.contact.phone_number", "12"),
            ("alpacaData.contact.street_address", []),
            ("alpacaData.contact.state", ...),
            ("alpacaData.contact.country", "United States"),
            ("alpacaData.identity.given_name", ""),
            ("alpacaData.identity.date_of_birth", "2020-01-01"),
            ("alpacaData.identity.date_of_birth", "2999-01-01"),
            ("alpacaData.identity.date_of_birth", "1800-01-01"),
            ("alpacaData.identity.date_of_birth", "01/02/1990"),
            ("alpacaData.identity.tax_id", "123-45-678"),
            ("alpacaData.identity.tax_id", "１２３４５６７８９"),
            ("alpacaData.identity.tax_id", ...),
            ("alpacaData.identity.funding_source", []),
            ("alpacaData.disclosures.is_control_person", "no"),
            ("alpacaData.disclosures.is_politically_exposed", ...),
            ("alpacaData.agreements", []),
        ],
    )
    def test_a_wrong_field_is_named_by_its_whole_path(self, api, broker, path, value):
        body = changed(body_for("ada"), path, value)

        answer = api(customer("ada")).post(PATH, body, format="json")

        assert answer.status_code == 400
        assert path in answer.json()["field_errors"]
        assert broker.applications == []
        assert "123-45-678" not in answer.content.decode()

    def test_an_agreement_named_twice_or_unknown_is_refused(self, api, broker):
        body = body_for("ada")
        [agreement] = body["alpacaData"]["agreements"]
        twice = changed(body, "alpacaData.agreements", [agreement, agreement])
        unknown = changed(body, "alpacaData.agreements.0.agreement", "blank_cheque")
        client = api(customer("ada"))

        for wrong in (twice, unknown):
            answer = client.post(PATH, wrong, format="json")
            [field] = answer.json()["field_errors"]
            assert answer.status_code == 400
            assert field.startswith("alpacaData.agreements")
            assert "blank_cheque" not in answer.content.decode()


class TestStatus:
    def test_shows_what_the_broker_last_said(self, api):
        account = make_account("ada", status="ACTION_REQUIRED")

        answer = api(customer("ada")).get(f"/api/account/{account.pk}/status")

        assert answer.json() == {
            "success": True,
            "data": {
                "account_id": account.broker_account_id,
                "status": "ACTION_REQUIRED",
                "is_tradable": False,
                "is_frozen": False,
                "crypto_status": "",
                "requirements": [],
                "next_step": "Upload the document that `requirements` names.",
                "timestamp": None,
                "synced_to_database": True,
            },
        }

    def test_a_service_may_ask_by_the_account_alone(self, api):
        account = make_account("ada")
        path = f"/api/account/{account.broker_account_id}/status"

        assert api(service()).get(path).status_code == 200
        assert api(service("accounts:read")).get(path).status_code == 403

    def test_foreign_and_unknown_accounts_get_the_same_answer(self, api):
        theirs = make_account("ada")
        eve = api(customer("eve"))

        foreign = eve.get(f"/api/account/{theirs.pk}/status")
        unknown = eve.get(f"/api/account/{customer().user_id}/status")

        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert foreign.json()["detail"] == unknown.json()["detail"]

    def test_sync_asks_the_broker(self, api, broker):
        api(customer("ada")).post(PATH, body_for("ada"), format="json")
        [opened] = broker.accounts.values()
        broker.accounts[opened.broker_account_id] = type(opened)(
            opened.broker_account_id, opened.account_number, "ACTIVE", opened.created_at
        )

        answer = api(customer("ada")).post(f"/api/account/{opened.broker_account_id}/status/sync")

        assert (answer.status_code, answer.json()["data"]["status"]) == (200, "ACTIVE")


class TestMe:
    def test_shows_the_customer_and_their_accounts(self, api):
        account = make_account("ada")
        make_account("eve")

        answer = api(customer("ada")).get("/api/me").json()

        assert (answer["user_id"], answer["kind"]) == ("ada", "CUSTOMER")
        assert [shown["id"] for shown in answer["accounts"]] == [account.broker_account_id]
        assert answer["accounts"][0]["account_id"] == str(account.pk)
        assert answer["accounts"][0]["is_tradable"] is True
        assert answer["accounts"][0]["email"].startswith("o***@")

    def test_nobody_is_nobody(self, api):
        assert api(None).get("/api/me").status_code == 401
