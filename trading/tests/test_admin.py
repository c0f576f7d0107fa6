"""Operations staff see everything and can change nothing."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.errors import VendorUnclear
from trading.risk import RiskRefused
from trading.tests.factories import buy, fund
from trading.tests.proposing import approve, propose

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, db):
    user = get_user_model().objects.create_superuser("ops", "ops@example.com", "a-long-password-1")
    client.force_login(user)
    return client


@pytest.fixture
def order(place, broker):
    broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
    return place(buy(notional="12.34"))


@pytest.mark.parametrize("table", ["order", "position", "cashbalance", "proposal"])
def test_every_list_can_be_searched(staff, order, account, table):
    fund(account, positions={"MSFT": "1"})
    propose()

    answer = staff.get(f"/admin/trading/{table}/", {"q": "alice-sub"})

    assert answer.status_code == 200
    assert b"alice-sub" in answer.content


def test_an_order_shows_its_verdict_and_its_history(staff, order):
    page = staff.get(f"/admin/trading/order/{order.pk}/change/").content.decode()

    assert "UNKNOWN" in page
    assert "quote_as_of" in page
    assert "PENDING → SENDING" in page


def test_a_proposal_shows_its_lines_their_verdicts_and_its_approval(staff, account, broker):
    proposal = propose()
    (order,) = approve(proposal).orders

    page = staff.get(f"/admin/trading/proposal/{proposal.pk}/change/").content.decode()

    assert "• BUY $100.00 of AAPL at the market price, good for the day" in page
    assert "&quot;spendable&quot;: &quot;1000.00&quot;" in page
    assert "customer:alice-sub" in page
    assert str(order.pk)[:8] in page


def test_a_proposal_shows_by_which_rule_its_approval_was_refused(staff, account, broker):
    proposal = propose()
    fund(account, cash="1")
    with pytest.raises(RiskRefused):
        approve(proposal)

    for path in ("", f"{proposal.pk}/change/"):
        page = staff.get(f"/admin/trading/proposal/{path}").content.decode()
        assert "insufficient_buying_power (line 1)" in page


def test_a_list_of_proposals_costs_the_same_however_many_there_are(staff, account, broker):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert staff.get("/admin/trading/proposal/").status_code == 200
        return len(captured)

    approve(propose("call-1", notional=Decimal(7)))
    queries()  # warms up what is read once
    few = queries()
    for call in ("call-2", "call-3", "call-4"):
        approve(propose(call, notional=Decimal(7)))

    assert queries() == few


def test_nothing_can_be_changed_added_or_deleted(staff, order):
    answers = [
        staff.post(f"/admin/trading/order/{order.pk}/change/", {"state": "ACCEPTED"}),
        staff.get("/admin/trading/order/add/"),
        staff.post(f"/admin/trading/order/{order.pk}/delete/", {"post": "yes"}),
        staff.get("/admin/trading/proposal/add/"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403]


def test_a_stranger_is_sent_to_the_door(client, order):
    assert client.get("/admin/trading/order/").status_code == 302
