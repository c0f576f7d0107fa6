"""Every way that an account can go, and the ways to send it there."""

from typing import Any

import pytest

from sandbox.tests.conftest import Server, running
from sandbox.tests.customers import Desk, application, paper
from sandbox.tests.frames import ACCOUNTS, replay
from sandbox.world import Settings, World


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


def steps(desk: Desk, account_id: str) -> list[str]:
    return [each["status_to"] for each in replay(desk, ACCOUNTS, id=account_id)]


def status(desk: Desk, account_id: str) -> str:
    return str(desk.account(account_id)["status"])


class TestTreatments:
    @pytest.mark.parametrize(
        ("kind", "ends", "code"),
        [
            ("reject_account", "REJECTED", "IDENTITY_VERIFICATION"),
            ("action_required", "ACTION_REQUIRED", "IDENTITY_VERIFICATION"),
            ("approval_pending", "APPROVAL_PENDING", "WATCHLIST_HIT"),
            ("submission_failed", "SUBMISSION_FAILED", None),
        ],
    )
    def test_the_next_application_ends_elsewhere_and_says_why(self, desk, kind, ends, code):
        desk.server.fault(kind=kind)
        account_id, other_id = desk.apply(), desk.apply()
        desk.advance(60)

        [*_, last] = replay(desk, ACCOUNTS, id=account_id)
        results = last["kyc_results"] or {"indeterminate": {}, "reject": {}}
        assert steps(desk, account_id) == ["SUBMITTED", ends]
        assert [*results["indeterminate"], *results["reject"]] == ([code] if code else [])
        assert status(desk, other_id) == "ACTIVE"

    @pytest.mark.parametrize("ends", ["REJECTED", "ONBOARDING", "APPROVED", "NEVER_HEARD_OF"])
    def test_a_fixture_ends_in_its_status(self, desk, ends):
        fixture = {"additional_information": f"/fixtures/status={ends}/fixtures/"}
        account_id = desk.apply(application() | fixture)
        desk.advance(60)

        assert status(desk, account_id) == ends

    @pytest.mark.parametrize(
        ("tag", "ends"),
        [
            ("rejected", "REJECTED"),
            ("Action_Required", "ACTION_REQUIRED"),
            ("approval_pending", "APPROVAL_PENDING"),
            ("news", "ACTIVE"),
        ],
    )
    def test_the_tag_of_an_address_may_name_a_status(self, desk, tag, ends):
        account_id = desk.apply(application(f"ada+{tag}@example.com"))
        desk.advance(60)

        assert status(desk, account_id) == ends

    def test_a_change_of_a_person_can_take_a_while_to_be_looked_at(self, desk):
        account_id = desk.open_account()
        desk.server.fault(kind="account_updated")
        change = {"contact": {"city": "Oakland"}}

        changed = desk.call("PATCH", f"/v1/accounts/{account_id}", json=change)
        desk.advance(5)
        desk.call("PATCH", f"/v1/accounts/{account_id}", json=change)

        assert changed["status"] == "ACCOUNT_UPDATED"
        assert steps(desk, account_id)[3:] == ["ACCOUNT_UPDATED", "ACTIVE"]


class TestByHand:
    def test_any_status_can_be_given_with_a_reason_and_results(self, desk):
        account_id = desk.open_account()
        results = {"reject": {"TAX_IDENTIFICATION": {}}, "additional_information": "call us"}

        answer = desk.set_status(
            account_id, status="NEVER_HEARD_OF", reason="a test", kyc_results=results
        )

        [*_, last] = replay(desk, ACCOUNTS, id=account_id)
        assert answer["status"] == status(desk, account_id) == "NEVER_HEARD_OF"
        assert (last["status_from"], last["status_to"]) == ("ACTIVE", "NEVER_HEARD_OF")
        assert last["reason"] == "a test"
        assert last["kyc_results"] == answer["kyc_results"] == results

    def test_the_same_status_can_be_told_again(self, desk):
        account_id = desk.open_account()

        desk.set_status(account_id, status="ACTIVE")

        assert steps(desk, account_id)[-2:] == ["ACTIVE", "ACTIVE"]

    def test_a_pending_approval_is_given(self, desk):
        desk.server.fault(kind="approval_pending")
        account_id = desk.open_account()

        desk.set_status(account_id, status="APPROVED")
        desk.advance(5)

        account = desk.account(account_id)
        assert steps(desk, account_id)[1:] == ["APPROVAL_PENDING", "APPROVED", "ACTIVE"]
        assert account["kyc_results"]["accept"] == {"WATCHLIST_HIT": {}}
        assert account["kyc_results"]["summary"] == "pass"

    def test_it_stays_there_if_it_shall(self, desk):
        account_id = desk.open_account()

        desk.set_status(account_id, status="APPROVED", stays=True)
        desk.advance(60)

        assert status(desk, account_id) == "APPROVED"

    def test_what_was_planned_before_does_not_happen(self, desk):
        account_id = desk.apply()

        desk.set_status(account_id, status="REJECTED")
        desk.advance(60)

        assert steps(desk, account_id) == ["SUBMITTED", "REJECTED"]

    def test_an_account_that_moves_there_and_back_goes_on_once(self, desk):
        account_id = desk.apply()

        desk.set_status(account_id, status="ONBOARDING")
        desk.set_status(account_id, status="SUBMITTED")
        desk.advance(60)

        assert steps(desk, account_id)[2:] == ["SUBMITTED", "APPROVED", "ACTIVE"]

    @pytest.mark.parametrize(
        "body",
        [{}, [], {"status": 7}, {"status": "A" * 65}, {"status": "ACTIVE", "kyc_results": []}],
    )
    def test_what_makes_no_sense_is_refused(self, desk, body):
        account_id = desk.open_account()
        url = f"{desk.server.url}/_control/accounts/{account_id}/status"

        assert desk.server.http.post(url, json=body).status_code == 400
        assert len(steps(desk, account_id)) == 3

    def test_an_account_that_is_not_there_is_not_found(self, desk):
        url = f"{desk.server.url}/_control/accounts/nobody/status"

        assert desk.server.http.post(url, json={"status": "ACTIVE"}).status_code == 404


class TestCrypto:
    def test_it_follows_the_account_where_it_is_enabled(self, desk):
        account_id = desk.apply(application() | {"enabled_assets": ["us_equity", "crypto"]})
        before = desk.account(account_id)["crypto_status"]
        desk.advance(5)

        assert (before, desk.account(account_id)["crypto_status"]) == ("SUBMITTED", "ACTIVE")

    def test_it_can_differ(self, desk):
        account_id = desk.open_account()

        desk.set_status(account_id, crypto_status="ONBOARDING")

        assert desk.account(account_id)["crypto_status"] == "ONBOARDING"
        assert len(steps(desk, account_id)) == 3

    def test_it_is_inactive_otherwise(self, desk):
        assert desk.account(desk.open_account())["crypto_status"] == "INACTIVE"


class TestAnswering:
    """Documents settle what the broker has asked."""

    def waiting(self, desk: Desk, *codes: str) -> str:
        account_id = desk.open_account()
        results: dict[str, Any] = {"indeterminate": {code: {} for code in codes}}
        desk.set_status(account_id, status="ACTION_REQUIRED", kyc_results=results)
        return account_id

    def test_a_document_lets_a_waiting_account_go_on(self, desk):
        desk.server.fault(kind="action_required")
        account_id = desk.open_account()
        waiting = status(desk, account_id)

        desk.upload(account_id, paper())
        desk.advance(5)

        assert waiting == "ACTION_REQUIRED"
        assert steps(desk, account_id)[2:] == ["APPROVED", "ACTIVE"]
        assert desk.account(account_id)["kyc_results"] == {
            "accept": {"IDENTITY_VERIFICATION": {}},
            "indeterminate": {},
            "reject": {},
            "additional_information": "",
            "summary": "pass",
        }

    def test_each_question_waits_for_its_own_document(self, desk):
        account_id = self.waiting(desk, "ADDRESS_VERIFICATION", "W8BEN_CORRECTION")

        desk.upload(account_id, paper("address_verification"))
        between = desk.account(account_id)
        desk.upload(account_id, paper("w8ben"))

        assert between["status"] == "ACTION_REQUIRED"
        assert between["kyc_results"]["accept"] == {"ADDRESS_VERIFICATION": {}}
        assert between["kyc_results"]["indeterminate"] == {"W8BEN_CORRECTION": {}}
        assert status(desk, account_id) == "APPROVED"

    def test_a_tax_form_answers_no_other_question(self, desk):
        account_id = self.waiting(desk, "IDENTITY_VERIFICATION")

        desk.upload(account_id, paper("w8ben"))

        assert status(desk, account_id) == "ACTION_REQUIRED"

    def test_a_question_can_be_answered_before_it_is_asked(self, desk):
        body = application()
        body["identity"] |= {
            "tax_id_type": "GBR_NINO",
            "tax_id": "QQ123456C",
            "country_of_tax_residence": "GBR",
        }
        account_id = desk.apply(body)

        desk.upload(account_id, paper("w8ben"))
        desk.advance(5)

        assert steps(desk, account_id) == ["SUBMITTED", "APPROVED", "ACTIVE"]

    @pytest.mark.parametrize("ends", ["REJECTED", "APPROVAL_PENDING"])
    def test_a_document_moves_no_other_account(self, desk, ends):
        account_id = desk.open_account()
        desk.set_status(account_id, status=ends)

        desk.upload(account_id, paper())
        desk.advance(5)

        assert status(desk, account_id) == ends


def test_a_restart_forgets_neither_status_nor_questions(tmp_path):
    def world() -> World:
        return World.create(Settings(speed=0, data=tmp_path))

    with running(world()) as server:
        desk = Desk(server)
        desk.server.fault(kind="action_required")
        waiting_id, going_id = desk.open_account(), desk.apply()

    with running(world()) as server:
        desk = Desk(server)
        desk.upload(waiting_id, paper())
        desk.advance(5)

        assert [status(desk, each) for each in (waiting_id, going_id)] == ["ACTIVE", "ACTIVE"]
