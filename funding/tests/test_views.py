"""What funding answers over HTTP."""

from decimal import Decimal

import pytest

from accounts.tests.factories import customer, make_account, service
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear
from funding.gateways import PageRequest
from funding.serializers.banks import is_aba
from funding.tests.factories import make_bank

MANUAL = "/create-ach-relationship-manual"
LINK = "/create-ach-relationship-link"
LIST = "/get-ach-relationships"
TRANSFER = "/initiate-ach-transfer"

pytestmark = pytest.mark.django_db


def bank_body(account, **changes):
    return {
        "accountId": account.broker_account_id,
        "bankAccountType": "CHECKING",
        "bankAccountNumber": "123456789",
        "bankRoutingNumber": "121000358",
        "nickname": "My Checking Account",
        **changes,
    }


def transfer_body(bank, amount="100.00"):
    """The body as text, so that the amount is spelled as given."""
    return (
        f'{{"accountId": "{bank.account.broker_account_id}",'
        f' "relationshipId": "{bank.broker_relationship_id}",'
        f' "amount": {amount}, "direction": "INCOMING"}}'
    )


def send(client, body, **headers):
    return client.post(TRANSFER, body, content_type="application/json", headers=headers)


class TestManualRelationship:
    def test_answers_the_references_shape(self, api, funds):
        account = make_account("ada")

        answer = api(customer("ada")).post(MANUAL, bank_body(account), format="json")

        [(_, linked)] = funds.banks
        assert answer.status_code == 201
        assert set(answer.json()) == {"id", "status", "created_at"}
        assert answer.json()["id"] == linked.broker_relationship_id
        assert answer.json()["status"] == "APPROVED"

    def test_is_202_while_the_outcome_is_unknown(self, api, funds):
        funds.fails_after = VendorUnclear("fake", "no answer")

        answer = api(customer("ada")).post(MANUAL, bank_body(make_account("ada")), format="json")

        assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("bankAccountType", "checking"),
            ("bankAccountNumber", "123"),
            ("bankAccountNumber", "123456789012345678"),
            ("bankAccountNumber", "12345678x"),
            ("bankRoutingNumber", "121000359"),
            ("bankRoutingNumber", "12100035"),
            ("bankRoutingNumber", "000000000"),
            ("accountId", ""),
        ],
    )
    def test_a_wrong_field_is_named_and_not_repeated(self, api, funds, field, value):
        body = bank_body(make_account("ada"), **{field: value})

        answer = api(customer("ada")).post(MANUAL, body, format="json")

        assert answer.status_code == 400
        told = answer.json() | {"request_id": "made by chance"}
        assert list(told["field_errors"]) == [field]
        assert not value or value not in str(told)
        assert funds.bank_accounts == []

    def test_a_refused_application_has_no_name_to_give_to_a_bank(self, api, funds):
        account = make_account("ada")
        with acting_as(SYSTEM):
            account.state = "REJECTED"
            account.forget_person()
            account.save()

        answer = api(customer("ada")).post(MANUAL, bank_body(account), format="json")

        assert (answer.status_code, answer.json()["code"]) == (422, "account_not_active")
        assert funds.banks == []

    def test_a_second_bank_is_a_conflict(self, api, funds):
        account = make_bank(make_account("ada")).account

        answer = api(customer("ada")).post(MANUAL, bank_body(account), format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "relationship_exists")

    def test_an_account_that_is_not_active_is_a_broken_rule(self, api, funds):
        account = make_account("ada", status="SUBMITTED")

        answer = api(customer("ada")).post(MANUAL, bank_body(account), format="json")

        assert (answer.status_code, answer.json()["code"]) == (422, "account_not_active")


@pytest.mark.parametrize("number", ["121000358", "021000021", "011401533"])
def test_real_routing_numbers_pass_their_checksum(number):
    assert is_aba(number) is True


@pytest.mark.parametrize("digit", range(9))
def test_every_mistyped_digit_of_a_routing_number_is_noticed(digit):
    number = list("121000358")
    number[digit] = str((int(number[digit]) + 1) % 10)

    assert is_aba("".join(number)) is False


class TestLink:
    def test_answers_both_names_of_the_page(self, api, funds, links):
        account = make_account("ada")
        body = {
            "accountId": account.broker_account_id,
            "redirectUri": "https://app.example.com/callback",
        }

        answer = api(customer("ada")).post(LINK, body, format="json")

        assert answer.status_code == 200
        told = answer.json()
        assert told["link_url"] == told["linkUrl"] == "https://link.example/1"
        assert told["linkToken"] in links.pages
        assert {"expires_at", "session_id"} < set(told)
        assert links.made == [
            PageRequest(customer=str(account.pk), redirect_uri=body["redirectUri"])
        ]

    @pytest.mark.parametrize(
        "redirect",
        [
            "https://app.example.com/callback/",
            "https://app.example.com/callback?x=1",
            "https://app.example.com.evil.example/callback",
            "HTTPS://APP.EXAMPLE.COM/callback",
            "javascript:alert(1)",
        ],
    )
    def test_a_redirect_that_is_not_on_the_list_is_refused_by_name(
        self, api, funds, links, redirect
    ):
        body = {"accountId": make_account("ada").broker_account_id, "redirectUri": redirect}

        answer = api(customer("ada")).post(LINK, body, format="json")

        assert answer.status_code == 400
        assert list(answer.json()["field_errors"]) == ["redirectUri"]
        assert links.made == []

    def test_nobody_links_to_somebody_elses_account(self, api, funds, links):
        body = {
            "accountId": make_account("ada").broker_account_id,
            "redirectUri": "https://app.example.com/callback",
        }

        assert api(customer("eve")).post(LINK, body, format="json").status_code == 404
        assert links.made == []


class TestListRelationships:
    def test_the_three_ways_of_asking_answer_the_same(self, api):
        bank = make_bank(make_account("ada"))
        account_id = bank.account.broker_account_id
        client = api(customer("ada"))

        by_query = client.get(LIST, {"accountId": account_id})
        by_path = client.get(f"{LIST}/{account_id}")
        by_body = client.post(LIST, {"accountId": account_id}, format="json")

        assert by_query.json() == by_path.json() == by_body.json()
        [shown] = by_query.json()["relationships"]
        assert shown == {
            "id": bank.broker_relationship_id,
            "status": "APPROVED",
            "created_at": shown["created_at"],
            "account_id": account_id,
            "bank_name": None,
            "bank_account_type": "CHECKING",
            "last_4": "6789",
            "nickname": "My Checking Account",
        }

    def test_a_service_may_ask_by_the_account_alone(self, api):
        bank = make_bank()
        query = {"accountId": bank.account.broker_account_id}

        assert len(api(service()).get(LIST, query).json()["relationships"]) == 1
        assert api(service("funding:read")).get(LIST, query).status_code == 403

    def test_a_query_without_an_account_names_what_is_missing(self, api):
        answer = api(customer()).get(LIST)

        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, ["accountId"])


class TestTransfers:
    @pytest.mark.parametrize("amount", ["100.00", '"100.00"', "100", '"100"', "100.0"])
    def test_an_amount_is_read_exactly_and_written_as_a_number(self, api, funds, amount):
        bank = make_bank(make_account("ada"))

        answer = send(api(customer("ada")), transfer_body(bank, amount))

        assert answer.status_code == 201
        assert '"amount":100.00,' in answer.content.decode()
        assert funds.payments[0].amount == Decimal("100.00")
        assert set(answer.json()) == {"id", "status", "amount", "created_at"}
        assert answer.json()["id"] == funds.transfers[0][1].broker_transfer_id

    @pytest.mark.parametrize(
        "amount",
        ["0", "-5", '"-5"', '"NaN"', "1.001", '"1_0"', "true", "null", '"1e3"', '" 1"', '""'],
    )
    def test_what_is_no_amount_is_refused_by_name(self, api, funds, amount):
        bank = make_bank(make_account("ada"))

        answer = send(api(customer("ada")), transfer_body(bank, amount))

        assert answer.status_code == 400
        assert list(answer.json()["field_errors"]) == ["amount"]
        assert funds.payments == []

    def test_the_same_body_again_is_noticed_unless_it_is_meant(self, api, funds):
        bank = make_bank(make_account("ada"))
        client = api(customer("ada"))
        body = transfer_body(bank)

        first, again = send(client, body), send(client, body)
        meant = send(client, body[:-1] + ', "allow_duplicate": true}')

        assert (first.status_code, again.status_code, meant.status_code) == (201, 409, 201)
        assert again.json()["code"] == "possible_duplicate"
        assert len(funds.payments) == 2

    def test_the_same_body_is_noticed_however_it_spells_the_ids(self, api, funds):
        bank = make_bank(make_account("ada"))
        client = api(customer("ada"))
        body = transfer_body(bank)
        theirs, ours = bank.account.broker_account_id, str(bank.account_id)
        ours_too = body.replace(theirs, ours).replace(bank.broker_relationship_id, str(bank.pk))

        answers = [
            send(client, spelled)
            for spelled in (body, ours_too, body.replace(ours, theirs.upper()))
        ]

        assert [answer.status_code for answer in answers] == [201, 409, 409]
        assert len(funds.payments) == 1

    def test_the_same_body_is_noticed_whichever_credential_sends_it(self, api, funds):
        bank = make_bank(make_account("ada"))

        first = send(api(service()), transfer_body(bank), **{"Idempotency-Key": "k"})
        retried = send(api(service()), transfer_body(bank), **{"Idempotency-Key": "k"})
        by_herself = send(api(customer("ada")), transfer_body(bank))

        assert (first.status_code, retried.content) == (201, first.content)
        assert by_herself.json()["code"] == "possible_duplicate"
        assert len(funds.payments) == 1

    def test_the_same_key_gets_the_same_bytes_and_moves_once(self, api, funds):
        bank = make_bank(make_account("ada"))
        client = api(customer("ada"))

        first = send(client, transfer_body(bank), **{"Idempotency-Key": "k"})
        again = send(client, transfer_body(bank), **{"Idempotency-Key": "k"})
        other = send(client, transfer_body(bank, "5"), **{"Idempotency-Key": "k"})

        assert again.content == first.content
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len(funds.payments) == 1

    def test_rules_are_told_apart_by_their_codes(self, api, funds):
        waiting = make_bank(make_account("ada"), status="QUEUED")
        inactive = make_bank(make_account("bob", status="APPROVED"))
        theirs = make_bank()

        not_approved = send(api(customer("ada")), transfer_body(waiting))
        not_active = send(api(customer("bob")), transfer_body(inactive))
        foreign = send(api(customer("ada")), transfer_body(theirs))

        assert (not_approved.status_code, not_approved.json()["code"]) == (
            422,
            "relationship_not_approved",
        )
        assert (not_active.status_code, not_active.json()["code"]) == (422, "account_not_active")
        assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")
        assert funds.payments == []

    def test_a_second_one_must_wait_for_an_undecided_first(self, api, funds):
        bank = make_bank(make_account("ada"))
        client = api(customer("ada"))
        funds.fails_after = VendorUnclear("fake", "no answer")

        first = send(client, transfer_body(bank))
        second = send(client, transfer_body(bank, "7"))

        assert (first.status_code, first.json()["status"]) == (202, "PENDING")
        assert (second.status_code, second.json()["code"]) == (409, "transfer_in_progress")
        assert len(funds.payments) == 1


class TestListTransfers:
    def test_lists_the_newest_first_in_the_originals_shape(self, api, funds):
        bank = make_bank(make_account("ada"))
        client = api(customer("ada"))
        send(client, transfer_body(bank, "10"))
        send(client, transfer_body(bank, "20.50"))

        answer = client.get(f"/api/account/{bank.account.broker_account_id}/transfers")

        body = answer.json()
        assert (body["success"], body["total_count"]) == (True, 2)
        assert '"amount":20.50,' in answer.content.decode()
        newest = body["transfers"][0]
        assert newest["relationship_id"] == bank.broker_relationship_id
        assert {key: newest[key] for key in ("direction", "type", "status", "expires_at")} == {
            "direction": "INCOMING",
            "type": "ach",
            "status": "QUEUED",
            "expires_at": None,
        }

    def test_limits_and_filters(self, api, funds):
        bank = make_bank(make_account("ada"))
        client = api(customer("ada"))
        send(client, transfer_body(bank, "10"))
        send(client, transfer_body(bank, "20"))
        path = f"/api/account/{bank.account_id}/transfers"

        limited = client.get(path, {"limit": 1}).json()
        outgoing = client.get(path, {"direction": "OUTGOING"}).json()
        wrong = client.get(path, {"limit": 0, "direction": "UP"})

        assert (len(limited["transfers"]), limited["total_count"]) == (1, 2)
        assert (outgoing["transfers"], outgoing["total_count"]) == ([], 0)
        assert sorted(wrong.json()["field_errors"]) == ["direction", "limit"]

    def test_somebody_elses_are_not_found(self, api, funds):
        bank = make_bank()

        answer = api(customer("eve")).get(f"/api/account/{bank.account_id}/transfers")

        assert answer.status_code == 404
