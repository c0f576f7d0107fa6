"""A transfer belongs to one of the broker's working days; where nobody knows them, it says so."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from accounts.tests.factories import customer, make_account, now
from core.tests.parcels import pass_time
from funding.serializers.transfers import NO_CALENDAR
from funding.services import dates
from funding.tests.factories import make_bank
from funding.tests.moving import move, row
from market.tests import factories as market

pytestmark = pytest.mark.django_db


@pytest.fixture
def known():
    """The working days around today, of which the Friday after next is a holiday."""
    today = dates.today(now())
    friday = today + timedelta(days=(4 - today.weekday()) % 7 + 7)
    days = market.calendar(today - timedelta(days=30), today + timedelta(days=400), closed={friday})
    with market.known_days(days):
        yield friday


def new_york(day, hour, minute=0):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=dates.NEW_YORK)


class TestPlan:
    def test_before_the_cut_off_it_is_handed_in_the_same_day(self, known):
        thursday = known - timedelta(days=1)

        plan = dates.plan(at=new_york(thursday, 19, 29))

        assert plan.business_date == thursday
        # Monday, Tuesday and Wednesday: the Friday and the weekend do not count.
        assert plan.expected_on == thursday + timedelta(days=6)

    def test_after_it_on_the_next_working_day(self, known):
        monday = known + timedelta(days=3)

        plan = dates.plan(at=new_york(known - timedelta(days=1), 19, 30))

        assert plan == dates.Plan(monday, monday + timedelta(days=3))
        assert dates.plan(at=new_york(known, 9)) == plan
        assert dates.plan(at=new_york(known + timedelta(days=2), 23, 59)) == plan

    def test_cut_off_and_days_are_settings(self, known, settings):
        settings.ACH_CUTOFF, settings.ACH_BUSINESS_DAYS = time(12), 1
        wednesday = known - timedelta(days=2)

        assert dates.plan(at=new_york(wednesday, 11, 59)) == dates.Plan(
            wednesday, wednesday + timedelta(days=1)
        )
        assert dates.plan(at=new_york(wednesday, 12)).business_date == known - timedelta(days=1)

    def test_what_takes_no_days_arrives_on_the_day_it_is_handed_in(self, known, settings):
        settings.ACH_BUSINESS_DAYS = 0

        assert dates.plan(at=new_york(known, 9)) == dates.Plan(*[known + timedelta(days=3)] * 2)

    def test_beyond_the_calendar_nothing_is_made_up(self, known):
        assert dates.plan(at=now() + timedelta(days=1000)) == dates.Plan()
        last = dates.today(now()) + timedelta(days=399)
        assert dates.plan(at=new_york(last, 9)).expected_on is None


def test_today_begins_at_midnight_in_new_york():
    in_winter = datetime(2026, 12, 1, 4, 59, tzinfo=UTC)
    in_summer = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)

    assert dates.today(in_winter) == date(2026, 11, 30)
    assert dates.midnight(in_winter) == datetime(2026, 11, 30, 5, tzinfo=UTC)
    assert dates.midnight(in_summer) == datetime(2026, 7, 1, 4, tzinfo=UTC)


class TestAnswers:
    def test_show_both_dates(self, known, api, funds):
        bank = make_bank(make_account("ada"))
        transfer = move(bank, at=new_york(known - timedelta(days=1), 9))

        shown = api(customer("ada")).get(f"/api/account/{bank.account_id}/transfers").json()

        [listed] = shown["transfers"]
        assert listed["business_date"] == (known - timedelta(days=1)).isoformat()
        assert listed["expected_on"] == (known + timedelta(days=5)).isoformat()
        assert listed["no_dates_because"] is None
        assert row(transfer).business_date == known - timedelta(days=1)

    def test_say_why_there_are_none(self, api, funds, settings):
        settings.ALPACA_BROKER_URL = "http://127.0.0.1:9"
        bank = make_bank(make_account("ada"))
        transfer = move(bank)
        pass_time(1)

        shown = api(customer("ada")).get(f"/api/account/{bank.account_id}/transfers/{transfer.pk}")

        told = {name: shown.json()[name] for name in ("business_date", "expected_on")}
        assert told == {"business_date": None, "expected_on": None}
        assert shown.json()["no_dates_because"] == NO_CALENDAR
        assert transfer.is_accepted
