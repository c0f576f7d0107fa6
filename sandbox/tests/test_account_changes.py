"""Changing what the broker knows of a customer, and closing an account."""

from decimal import Decimal
from typing import Any

import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.models import Account
from alpaca.broker.requests import UpdateAccountRequest

from sandbox.tests.conftest import Server, running
from sandbox.tests.customers import Desk, application
from sandbox.world import Settings, World


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


def patch(desk: Desk, account_id: str, *, status: int = 200, **sections: Any) -> Any:
    return desk.call("PATCH", f"/v1/accounts/{account_id}", status=status, json=sections)


class TestChanges:
    def test_a_changed_section_keeps_its_other_fields(self, desk):
        account_id = desk.open_account()
        before = desk.account(account_id)

        changed = patch(desk, account_id, contact={"city": "Oakland", "unit": "4b"})

        assert changed == before | {
            "contact": before["contact"] | {"city": "Oakland", "unit": "4b"}
        }
        assert changed == desk.account(account_id)
        assert len(desk.server.effects(kind="account.updated")) == 1

    def test_the_real_client_changes_all_sections(self, desk):
        key, secret = desk.server.auth
        client: Any = BrokerClient(key, secret, url_override=desk.server.broker_url)
        request = UpdateAccountRequest(
            contact={"phone_number": "+1 555 555 9999"},
            identity={"family_name": "Rock", "permanent_resident": True},
            disclosures={"employment_status": "RETIRED"},
            trusted_contact={
                "given_name": "Jane",
                "family_name": "Doe",
                "email_address": "jane@example.com",
            },
        )

        changed: Account = client.update_account(desk.open_account(), request)
        client._session.close()

        assert changed.contact.phone_number == "+1 555 555 9999"
        assert (changed.identity.given_name, changed.identity.family_name) == ("Ada", "Rock")
        assert changed.identity.permanent_resident is True
        assert changed.disclosures.employment_status == "RETIRED"
        assert changed.trusted_contact.email_address == "jane@example.com"

    def test_what_is_emptied_is_taken_away(self, desk):
        account_id = desk.open_account()
        patch(desk, account_id, contact={"unit": "4b"})

        assert "unit" not in patch(desk, account_id, contact={"unit": ""})["contact"]

    @pytest.mark.parametrize(
        ("sections", "message"),
        [
            ({"contact": {"email_address": "ada"}}, "contact.email_address is not valid"),
            ({"contact": {"city": None}}, "contact.city is required"),
            ({"contact": {"state": ""}}, "contact.state is required"),
            ({"contact": "Oakland"}, "contact must be an object"),
            ({"identity": {"date_of_birth": "1991-01-01"}}, "identity.date_of_birth cannot be upd"),
            ({"identity": {"tax_id": "234-56-7890"}}, "identity.tax_id cannot be updated"),
            ({"identity": {"given_name": "Zoë"}}, "identity.given_name must be in latin"),
            ({"identity": {"visa_type": "F1"}}, "identity.visa_expiration_date is required"),
            ({"disclosures": {"is_control_person": 1}}, "disclosures.is_control_person must be a"),
            (
                {"trusted_contact": {"given_name": "Jane"}},
                "trusted_contact.family_name is required",
            ),
        ],
    )
    def test_a_wrong_change_changes_nothing(self, desk, sections, message):
        account_id = desk.open_account()
        before = desk.account(account_id)
        good = {"contact": {"city": "Oakland"}}

        answer = patch(desk, account_id, status=422, **(good | sections))

        assert answer["code"] == 40010001
        assert answer["message"].startswith(message)
        assert desk.account(account_id) == before
        assert desk.server.effects(kind="account.updated") == []

    def test_a_body_that_is_no_object_is_refused(self, desk):
        path = f"/v1/accounts/{desk.open_account()}"

        assert desk.call("PATCH", path, status=400, json=[])["code"] == 40010000


class TestAddresses:
    def test_a_new_address_frees_the_old_one(self, desk):
        account_id = desk.open_account("ada@example.com")
        patch(desk, account_id, contact={"email_address": "Ada@New.example"})
        other_id = desk.apply(application("ada@example.com"))

        def found(query: str) -> list[str]:
            accounts = desk.call("GET", "/v1/accounts", params={"query": query})
            return [each["id"] for each in accounts]

        assert found("ada@new.example") == [account_id]
        assert found("ada@example.com") == [other_id]

    def test_an_address_in_use_is_refused(self, desk):
        desk.open_account("ada@example.com")
        account_id = desk.open_account()
        before = desk.account(account_id)

        answer = patch(desk, account_id, status=409, contact={"email_address": "ADA@example.com"})

        assert answer["code"] == 40910000
        assert desk.account(account_id) == before

    def test_the_same_address_may_be_sent_again(self, desk):
        account_id = desk.open_account("ada@example.com")

        changed = patch(desk, account_id, contact={"email_address": "Ada@example.com"})

        assert changed["contact"]["email_address"] == "Ada@example.com"
        desk.call("POST", "/v1/accounts", status=409, json=application("ada@example.com"))

    def test_an_address_stays_free_after_a_restart(self, tmp_path):
        with running(World.create(Settings(speed=0, data=tmp_path))) as server:
            desk = Desk(server)
            account_id = desk.open_account("ada@example.com")
            patch(desk, account_id, contact={"email_address": "new@example.com"})

        with running(World.create(Settings(speed=0, data=tmp_path))) as server:
            desk = Desk(server)
            desk.call("POST", "/v1/accounts", status=409, json=application("new@example.com"))
            assert desk.apply(application("ada@example.com")) != account_id


class TestClosing:
    def test_only_an_empty_account_can_be_closed(self, desk):
        account_id = desk.funded_account("10")
        path = f"/v1/accounts/{account_id}/actions/close"
        desk.call("POST", path, status=422)
        [bank] = desk.call("GET", f"/v1/accounts/{account_id}/ach_relationships")
        desk.transfer(account_id, bank["id"], "10", "OUTGOING")
        desk.advance(10)

        desk.call("POST", path, status=204)

        assert desk.cash(account_id) == Decimal(0)
        assert desk.account(account_id)["status"] == "ACCOUNT_CLOSED"

    def test_each_reason_not_to_close_is_named_in_turn(self, desk):
        desk.set_price("AAPL", "200.00")
        account_id = desk.funded_account("1000")
        path = f"/v1/accounts/{account_id}/actions/close"
        [bank] = desk.call("GET", f"/v1/accounts/{account_id}/ach_relationships")

        def why_not() -> str:
            answer = desk.call("POST", path, status=422)
            assert answer["code"] == 42210000
            return str(answer["message"])

        desk.order(account_id, qty="1")
        desk.advance(1)
        assert why_not() == "account has open positions"
        desk.call("DELETE", f"/v1/trading/accounts/{account_id}/positions/AAPL")
        desk.advance(1)
        resting = desk.order(account_id, type="limit", qty="1", limit_price="1")
        assert why_not() == "account has open orders"
        desk.cancel(account_id, resting["id"])
        desk.advance(1)
        assert why_not() == "account has a cash balance"
        desk.advance(24 * 3600)
        desk.transfer(account_id, bank["id"], str(desk.cash(account_id)), "OUTGOING")
        assert why_not() == "account has pending transfers"
        assert desk.server.effects(kind="account.closed") == []
        desk.advance(10)

        desk.call("POST", path, status=204)

        assert why_not() == "account is already closed"
        [effect] = desk.server.effects(kind="account.closed")
        assert effect["account_id"] == account_id
        told = desk.server.world.parts["broker"].hub.history("accounts")[-1].payload
        assert (told["status_from"], told["status_to"]) == ("ACTIVE", "ACCOUNT_CLOSED")

    @pytest.mark.parametrize("change", ["-0.01", "0.01"])
    def test_a_cent_too_much_or_too_little_keeps_it_open(self, desk, change):
        account_id = desk.open_account()
        desk.server.control(f"accounts/{account_id}/cash", {"change": change})

        answer = desk.call("POST", f"/v1/accounts/{account_id}/actions/close", status=422)

        assert (answer["message"], answer["cash"]) == ("account has a cash balance", change)

    def test_a_closed_account_takes_no_orders(self, desk):
        account_id = desk.open_account()
        desk.call("POST", f"/v1/accounts/{account_id}/actions/close", status=204)

        answer = desk.order(account_id, status=403, qty="1")

        assert answer["message"] == "account is not active (status: ACCOUNT_CLOSED)"

    def test_the_older_way_to_close_works_too(self, desk):
        account_id = desk.apply()

        desk.call("DELETE", f"/v1/accounts/{account_id}", status=204)
        desk.advance(60)

        assert desk.account(account_id)["status"] == "ACCOUNT_CLOSED"
