"""When the market trades: by the broker's clock, and outside the session by its calendar."""

from datetime import date, datetime

import pytest

from core.errors import VendorUnavailable
from market import selectors, trading_days
from market.facts import Session
from market.tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_prices")]
THANKSGIVING, AFTER = date(2026, 11, 26), date(2026, 11, 27)


@pytest.fixture
def closed(vendors):
    """A broker that says its market is closed, and a calendar around Thanksgiving."""
    trading_days.forget_asking()
    broker = vendors.broker
    broker.days = factories.calendar(
        date(2025, 10, 1), date(2027, 12, 31), closed={THANKSGIVING}, short={AFTER}
    )
    trading_days._keep(broker.days.values(), since=date(2025, 1, 1), at=moment("2026-11-20T12:00"))
    yield broker
    trading_days.forget_asking()


def moment(text):
    return datetime.fromisoformat(f"{text}-05:00")


LATER = moment("2028-01-01T00:00")


def hours_at(text):
    at = moment(text)
    selectors._session[:] = [Session(asked_at=at, is_open=False, changes_at=LATER)]
    return selectors.get_hours(at=at)


@pytest.mark.parametrize(
    ("at", "is_extended", "closed_at"),
    [
        ("2026-11-25T03:59", False, "2026-11-24T16:00"),
        ("2026-11-25T04:00", True, "2026-11-24T16:00"),
        ("2026-11-25T09:29", True, "2026-11-24T16:00"),
        ("2026-11-25T16:00", True, "2026-11-25T16:00"),
        ("2026-11-25T19:59", True, "2026-11-25T16:00"),
        ("2026-11-25T20:00", False, "2026-11-25T16:00"),
        ("2026-11-26T12:00", False, "2026-11-25T16:00"),  # a holiday
        ("2026-11-27T14:00", True, "2026-11-27T13:00"),  # the session has ended early
        ("2026-11-27T17:00", False, "2026-11-27T13:00"),
        ("2026-11-29T12:00", False, "2026-11-27T13:00"),  # a Sunday
    ],
)
def test_a_closed_market_may_trade_before_and_after_its_session(closed, at, is_extended, closed_at):
    hours = hours_at(at)

    assert (hours.is_open, hours.is_extended) == (False, is_extended)
    assert hours.closed_at == moment(closed_at)


def test_an_open_market_needs_no_calendar(closed, django_assert_num_queries):
    at = moment("2026-11-25T12:00")
    selectors._session[:] = [Session(asked_at=at, is_open=True, changes_at=LATER)]

    with django_assert_num_queries(0):
        hours = selectors.get_hours(at=at)

    assert (hours.is_open, hours.closed_at) == (True, None)


def test_the_clock_is_believed_when_the_calendar_knows_nothing(vendors):
    trading_days.forget_asking()

    hours = hours_at("2026-11-25T12:00")

    assert (hours.is_open, hours.is_extended, hours.closed_at) == (False, False, None)


def test_nobody_can_tell_while_the_broker_is_away(vendors):
    def silent():
        raise VendorUnavailable("broker", "no answer")

    vendors.broker.clock = silent

    assert selectors.get_hours(at=moment("2026-11-25T12:00")) is None
