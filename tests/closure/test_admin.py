"""Staff sees how far closures have come, and what it may do with them."""

import pytest
from django.contrib.messages import get_messages

from closure.states import ClosureState
from core.auth import SYSTEM, acting_as
from core.tests.staff_people import actions, member, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/closure/closure/"
WHY = {"reason": "Ticket 4711"}
ROLES = ("", "viewer", "operator", "approver")


@pytest.fixture
def returned(world):
    """A closure whose withdrawal the bank has sent back."""
    world.customer(cash="100.00")
    world.initiate()
    world.advance()
    world.arrive()
    world.bounce("R06: returned per ODFI request")
    world.advance()
    with acting_as(SYSTEM):
        type(world.account).objects.filter(pk=world.account.pk).update(frozen_at=None)
    return world


def page(world, deed=""):
    return f"{LIST}{world.closure.pk}/{deed}/"


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


@pytest.mark.parametrize("role", ROLES)
def test_who_may_press_what(returned, role):
    client = signed_in(member("x", role))
    may_operate, may_confirm = role in {"operator", "approver"}, role == "approver"

    assert client.get(page(returned, "go-on")).status_code == (200 if may_operate else 403)
    assert client.get(page(returned, "hand-back")).status_code == (200 if may_operate else 403)
    assert client.get(page(returned, "confirm")).status_code == (200 if may_confirm else 403)
    assert returned.row().state == ClosureState.NEEDS_REVIEW


def test_sending_money_again_takes_two(returned):
    anna, bert = signed_in(member("anna", "approver")), signed_in(member("bert", "approver"))

    assert "go on" in anna.get(page(returned, "change")).content.decode()
    anna.post(page(returned, "go-on"), WHY)
    assert returned.row().state == ClosureState.NEEDS_REVIEW
    same = anna.post(page(returned, "confirm"))
    assert "Somebody else" in same.content.decode()
    done = bert.post(page(returned, "confirm"))
    assert told(done) == ["Confirmed; it goes on."]
    assert returned.row().state == ClosureState.RUNNING
    recorded = {action for action, _ in actions(subject_kind="closure.Closure")}
    assert {"closure.resume_asked", "closure.resumed"} <= recorded


def test_a_reason_is_needed(returned):
    client = signed_in(member("anna", "operator"))

    assert client.post(page(returned, "hand-back"), {"reason": " "}).status_code == 200
    assert returned.row().state == ClosureState.NEEDS_REVIEW
    client.post(page(returned, "hand-back"), WHY)
    assert returned.row().state == ClosureState.CANCELED
    assert not returned.account_row().is_closing


def test_the_page_tells_what_was_done_and_what_is_in_the_way(returned):
    client = signed_in(member("vera", "viewer"))

    shown = client.get(page(returned, "change")).content.decode()
    assert "The bank has sent a withdrawal back: R06" in shown
    assert "withdrawal_sent" in shown
    listed = client.get(f"{LIST}?turn=operator").content.decode()
    assert returned.row().confirmation_number in listed
    assert (
        returned.row().confirmation_number
        not in client.get(f"{LIST}?turn=approver").content.decode()
    )
