"""Sockets that are open while one day in New York becomes the next."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from market.facts import new_york_date
from market.nanos import nanoseconds
from market.tests.factories import snapshot
from tests.live.factories import buy, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def today(account, publisher):
    """Three shares since yesterday, and one that was bought today for 90 dollars."""
    buy(account, "AAPL", "1", "90")
    today = new_york_date(datetime.now(UTC))
    publisher.desk.day = today
    publisher.tick()
    return today


def begin(publisher, day, *, close):
    """Let the leader know the closes before another day."""
    desk = publisher.desk
    told = snapshot("AAPL", None, at=desk.vendor_now(), close=close)
    desk.book.seed(told, now_ns=nanoseconds(desk.vendor_now()))
    desk.day = day
    publisher.tick()


def test_what_was_bought_yesterday_is_no_part_of_todays_return_any_more(
    port, account, token, publisher, today
):
    with signed_in(port, account.pk, token) as socket:
        before = socket.next()
        begin(publisher, today + timedelta(days=1), close="98")
        after = socket.next(until=lambda message: message["type"] == "snapshot")

    assert before["raw_return"] == Decimal("13.00")
    assert after["raw_return"] == Decimal("8.00")  # four shares that closed at 98
    assert [p["previous_close"] for p in after["positions"]] == ["98.00"]


def test_who_comes_back_after_midnight_is_told_the_new_closes(
    port, account, token, publisher, today
):
    with signed_in(port, account.pk, token) as socket:
        left = socket.next()
    begin(publisher, today + timedelta(days=1), close="98")

    place = {name: left[name] for name in ("epoch", "seq", "revision")}
    with signed_in(port, account.pk, token, said={"resume": place}) as socket:
        back = socket.next()

    assert (back["type"], back["epoch"]) == ("snapshot", left["epoch"])
    assert [p["previous_close"] for p in back["positions"]] == ["98.00"]


def test_a_request_counts_the_day_as_sockets_do(port, account, token, publisher, today):
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")

    def returned():
        answer = client.get("/api/portfolio/value", {"accountId": str(account.pk)})
        return answer.json()["raw_return"]

    before = returned()
    begin(publisher, today + timedelta(days=1), close="98")

    assert (before, returned()) == (13.0, 8.0)


def test_a_close_of_yesterday_does_not_stand_in_for_one_that_nobody_tells(
    port, account, token, publisher, today
):
    with signed_in(port, account.pk, token) as socket:
        socket.next()
        (entry,) = publisher.desk.book.everything()
        entry.close = 0
        publisher.desk.day = today + timedelta(days=1)
        publisher.tick()
        after = socket.next(until=lambda message: message["type"] == "snapshot")

    assert (after["raw_value"], after["raw_return"]) == (Decimal("1400.00"), None)
