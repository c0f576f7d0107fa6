"""Closing an account over HTTP, in the shapes that the original's frontend knows."""

import pytest
from django.utils import timezone

from accounts.tests.factories import customer, service
from closure.models import Closure
from closure.services import review
from closure.states import ClosureState, Step
from core.auth import SYSTEM, Principal, acting_as
from funding.tests.factories import make_transfer

pytestmark = pytest.mark.django_db
CONFIRMED = {"confirm_liquidation": True, "confirm_irreversible": True}
PREFIXES = ("/account-closure", "/api/account-closure")


@pytest.fixture
def owner(world, api):
    world.customer(cash="100.00", positions={"AAPL": "2"})
    return api(customer(world.account.user_id))


def begin(world, client, **changes):
    body = {"ach_relationship_id": world.bank.broker_relationship_id, **CONFIRMED, **changes}
    return client.post(url(world, "initiate"), body, format="json")


def url(world, what, *more):
    parts = [PREFIXES[0], what, world.account.broker_account_id, *more]
    return "/".join(parts)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_readiness_says_what_is_there_and_what_is_in_the_way(world, owner, prefix):
    found = owner.get(f"{prefix}/check-readiness/{world.account.pk}").json()
    assert found["ready"] is True
    assert (found["open_orders"], found["open_positions"], found["cash_balance"]) == (0, 1, 100)
    assert found["has_ach_relationship"] is True
    assert found["ach_relationships"][0]["account_number_last4"] == "6789"
    assert (found["account_status"], found["reason"], found["blockers"]) == ("ACTIVE", None, [])

    make_transfer(world.bank, status="QUEUED")
    found = owner.get(f"{prefix}/check-readiness/{world.account.pk}").json()
    assert found["ready"] is False
    assert [each["code"] for each in found["blockers"]] == ["deposit_under_way"]
    assert found["reason"] == "A deposit is still on its way; wait until it has arrived."


def test_initiating_answers_what_will_be_done(world, owner):
    answer = begin(world, owner)

    assert answer.status_code == 202
    body = answer.json()
    assert body["success"] is True
    assert body["account_id"] == world.account.broker_account_id
    assert (body["step"], body["positions_to_liquidate"]) == ("initiated", 1)
    assert body["confirmation_number"].startswith("CLR-")
    with acting_as(SYSTEM):
        closure = Closure.objects.get()
    assert [each["what"] for each in closure.confirmations] == sorted(CONFIRMED)
    assert {each["by"] for each in closure.confirmations} == {f"customer:{world.account.user_id}"}


@pytest.mark.parametrize(
    "changes",
    [
        {"confirm_liquidation": False},
        {"confirm_irreversible": "true"},
        {"confirm_irreversible": 1},
        {"confirm_irreversible": None},
        {"ach_relationship_id": ""},
        {"ach_relationship_id": {}},
    ],
)
def test_a_body_that_is_no_clear_yes_begins_nothing(world, owner, changes):
    answer = begin(world, owner, **changes)

    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == list(changes)
    assert not world.account_row().is_closing


def test_one_key_begins_one_closure_and_gets_one_answer(world, owner):
    headers = {"Idempotency-Key": "one"}
    body = {"ach_relationship_id": str(world.bank.pk), **CONFIRMED}
    first = owner.post(url(world, "initiate"), body, format="json", headers=headers)
    again = owner.post(url(world, "initiate"), body, format="json", headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    other = owner.post(
        url(world, "initiate"), body, format="json", headers={"Idempotency-Key": "2"}
    )
    assert (other.status_code, other.json()["code"]) == (409, "possible_duplicate")


def test_progress_has_the_originals_shape(world, owner):
    begin(world, owner)
    world.closure = _closure()
    world.at = timezone.now()
    world.look()

    body = owner.get(f"/api/account-closure/progress/{world.account.pk}").json()

    assert list(body) == [
        "account_id",
        "current_step",
        "steps_completed",
        "total_steps",
        "status_details",
        "estimated_completion",
        "confirmation_number",
        "initiated_at",
        "closure_details",
    ]
    assert body["account_id"] == world.account.broker_account_id
    assert (body["current_step"], body["steps_completed"]) == ("liquidating_positions", 1)
    assert body["total_steps"] == 5
    assert body["status_details"] == {
        "account_status": "ACTIVE",
        "cash_balance": 100.00,
        "open_positions": 1,
        "open_orders": 1,
        "ready_for_next_step": True,
    }
    assert body["estimated_completion"] is not None
    assert body["closure_details"]["can_be_stopped"] is True
    status = owner.get(url(world, "status")).json()
    assert {**body, "success": True} == status


def test_without_a_closure_there_is_no_status(world, owner):
    for what in ("status", "progress", "settlement-status", "task-status"):
        answer = owner.get(url(world, what))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_steps_may_be_asked_for_and_nothing_happens_twice(world, owner):
    begin(world, owner)
    world.closure = _closure()
    assert (
        _post(owner, url(world, "withdraw-funds"), {}).json()["code"] == "closure_step_not_reached"
    )
    world.at = timezone.now()
    world.look()
    for path in ("cancel-orders", "liquidate-positions"):
        body = {"account_id": world.account.broker_account_id}
        answer = _post(owner, f"{PREFIXES[0]}/{path}", body)
        assert (answer.status_code, answer.json()["step"]) == (202, "liquidating_positions")
    world.fill()
    world.advance()
    world.settle()
    settling = owner.get(url(world, "settlement-status")).json()
    assert (settling["settlement_complete"], settling["positions_remaining"]) == (False, 0)
    assert settling["estimated_settlement_date"] == str(world.row().settles_on)
    world.advance(days=5)

    named = {"ach_relationship_id": world.bank.broker_relationship_id}
    paid = [_post(owner, url(world, "withdraw-funds"), named).json() for _ in range(3)]
    assert {each["amount"] for each in paid} == {300}
    assert len({each["transfer_id"] for each in paid}) == len(world.funds.payments) == 1
    shown = owner.get(url(world, "withdrawal-status", paid[0]["transfer_id"])).json()
    assert (shown["transfer_completed"], shown["transfer_status"]) == (False, "QUEUED")

    early = _post(owner, url(world, "close-account"), {"final_confirmation": True})
    assert (early.status_code, early.json()["code"]) == (409, "closure_step_not_reached")
    world.arrive()
    world.advance()
    answer = _post(owner, url(world, "close-account"), {"final_confirmation": True})
    assert (answer.status_code, answer.json()["account_status"]) == (200, "ACCOUNT_CLOSED")
    assert owner.get(url(world, "settlement-status")).json()["settlement_complete"] is True
    assert owner.get(url(world, "progress")).json()["steps_completed"] == 5


@pytest.mark.parametrize("given", [False, None, "yes", 1, {}])
def test_the_last_yes_has_to_be_one(world, owner, given):
    begin(world, owner)

    answer = _post(owner, url(world, "close-account"), {"final_confirmation": given})

    assert (answer.status_code, list(answer.json()["field_errors"])) == (
        400,
        ["final_confirmation"],
    )


def test_another_bank_than_the_closures_is_refused(world, owner):
    begin(world, owner)
    foreign = {"ach_relationship_id": str(world.account.pk)}
    assert _post(owner, url(world, "withdraw-funds"), foreign).status_code == 404


def test_a_closure_is_a_task_that_may_be_canceled(world, owner):
    begin(world, owner)
    world.closure = _closure()
    shown = owner.get(url(world, "task-status")).json()
    assert (shown["task_id"], shown["status"]) == (str(world.closure.pk), "running")
    listed = owner.get(f"{PREFIXES[1]}/all-active-tasks").json()
    assert (listed["total_active"], listed["active_tasks"]) == (1, [shown])
    assert owner.get(f"{PREFIXES[0]}/task-status/{world.closure.pk}").json() == shown

    assert _post(owner, url(world, "cancel-task"), {}).status_code == 202
    world.advance()

    assert owner.get(url(world, "task-status")).json()["status"] == "canceled"
    assert owner.get(f"{PREFIXES[0]}/all-active-tasks").json()["total_active"] == 0
    assert _post(owner, url(world, "resume"), {}).json()["code"] == "closure_over"
    assert _post(owner, url(world, "cancel-task"), {}).status_code == 202


def test_what_is_under_review_waits_for_our_staff(world, owner):
    begin(world, owner)
    world.closure = _closure()
    with acting_as(SYSTEM):
        closure = Closure.objects.get()
        closure.note_problem("The account owes the broker money.", kind="NEGATIVE_CASH")
        closure.advance(ClosureState.NEEDS_REVIEW, at=timezone.now())

    answer = _post(owner, url(world, "resume"), {})
    assert (answer.status_code, answer.json()["code"]) == (409, "closure_under_review")
    assert answer.json()["detail"] == "The account owes the broker money."
    staff = Principal.staff(1)
    review.resume(staff=staff, closure_id=closure.pk, reason="Ticket", at=timezone.now())
    assert _post(owner, url(world, "resume"), {}).status_code == 202


def test_others_see_and_move_nothing(world, owner, api):
    begin(world, owner)
    closure, bob = _closure(), api(customer("bob"))
    body = {"ach_relationship_id": str(world.bank.pk), **CONFIRMED, "final_confirmation": True}
    for name in (str(world.account.pk), world.account.broker_account_id, str(closure.pk)):
        for what in ("check-readiness", "status", "progress", "settlement-status", "task-status"):
            assert bob.get(f"{PREFIXES[0]}/{what}/{name}").status_code == 404, what
        for what in ("initiate", "withdraw-funds", "close-account", "resume", "cancel-task"):
            assert _post(bob, f"{PREFIXES[0]}/{what}/{name}", body).status_code == 404, what
        for what in ("cancel-orders", "liquidate-positions"):
            assert _post(bob, f"{PREFIXES[0]}/{what}", {"account_id": name}).status_code == 404
    assert bob.get(f"{PREFIXES[0]}/all-active-tasks").json()["total_active"] == 0
    untouched = _closure()
    assert (untouched.step, untouched.stop_asked_at) == (Step.READINESS, None)


def test_a_service_acts_for_the_owner_of_the_account(world, owner, api):
    key = api(service())

    assert begin(world, key).status_code == 202
    assert key.get(url(world, "status")).status_code == 200


def _post(client, path, body):
    return client.post(path, body, format="json")


def _closure():
    with acting_as(SYSTEM):
        return Closure.objects.get()
