"""Operations staff see everything and can change nothing."""

import pytest
from django.contrib.auth import get_user_model

from core.errors import VendorUnclear
from trading.tests.factories import buy, fund
from trading.tests.proposing import propose

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
