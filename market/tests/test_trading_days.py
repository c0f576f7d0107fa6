"""Working days are the broker's: read once a day, asked for when they lack, never invented."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from structlog.testing import capture_logs

from core.errors import VendorUnavailable
from core.tests.sandboxes import running
from market import gateways, selectors, services, trading_days
from market.facts import new_york_date
from market.gateways.alpaca import AlpacaBroker
from market.models import TradingDay
from market.tests import factories

CUTOFF = time(19, 30)
# Thanksgiving of 2026 and the short day after it.
THANKSGIVING, AFTER = date(2026, 11, 26), date(2026, 11, 27)
NEXT_MONDAY = date(2026, 11, 30)

pytestmark = pytest.mark.django_db


def now():
    return datetime.now(UTC)


def today():
    return new_york_date(now())


def around(day):
    return factories.calendar(day - timedelta(days=40), day + timedelta(days=500))


@pytest.fixture(scope="module")
def exchange():
    """A sandbox whose market keeps the hours of the exchanges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_MARKET", "real")
        with running() as sandbox:
            yield sandbox


@pytest.fixture
def broker(vendors):
    trading_days.forget_asking()
    yield vendors.broker
    trading_days.forget_asking()


@pytest.fixture
def fall(broker):
    """A copy of the calendar from October 2025 to December 2027."""
    broker.days = factories.calendar(
        date(2025, 10, 1), date(2027, 12, 31), closed={THANKSGIVING}, short={AFTER}
    )
    trading_days._keep(broker.days.values(), since=date(2025, 1, 1), at=now())
    return broker


def business_day(text):
    return selectors.business_day(datetime.fromisoformat(text), cutoff=CUTOFF)


class TestBusinessDay:
    @pytest.mark.parametrize(
        ("at", "day"),
        [
            ("2026-11-25T19:29:59-05:00", date(2026, 11, 25)),
            ("2026-11-25T19:30:00-05:00", AFTER),  # the day in between is a holiday
            ("2026-11-26T00:00:00-05:00", AFTER),
            ("2026-11-26T12:00:00-05:00", AFTER),
            ("2026-11-27T15:00:00-05:00", AFTER),  # the session is over, the cut-off is not
            ("2026-11-27T19:30:00-05:00", NEXT_MONDAY),
            ("2026-11-28T08:00:00-05:00", NEXT_MONDAY),
            ("2026-11-30T23:59:59+00:00", NEXT_MONDAY),
            ("2026-12-01T00:29:59+00:00", NEXT_MONDAY),
            ("2026-12-01T00:30:00+00:00", date(2026, 12, 1)),
        ],
    )
    def test_is_the_day_itself_before_the_cut_off_and_else_the_next(self, fall, at, day):
        assert business_day(at) == day

    @pytest.mark.parametrize(
        ("at", "day"),
        [
            # New York is five hours behind until 8 March 2026 and four from then on.
            ("2026-03-07T00:29:59+00:00", date(2026, 3, 6)),
            ("2026-03-07T00:30:00+00:00", date(2026, 3, 9)),
            ("2026-03-09T23:29:59+00:00", date(2026, 3, 9)),
            ("2026-03-09T23:30:00+00:00", date(2026, 3, 10)),
            # And five again from 1 November.
            ("2026-10-30T23:29:59+00:00", date(2026, 10, 30)),
            ("2026-10-30T23:30:00+00:00", date(2026, 11, 2)),
            ("2026-11-03T00:29:59+00:00", date(2026, 11, 2)),
            ("2026-11-03T00:30:00+00:00", date(2026, 11, 3)),
        ],
    )
    def test_keeps_to_the_clocks_of_new_york(self, fall, at, day):
        assert business_day(at) == day

    def test_days_are_added_over_holidays_and_weekends(self, fall):
        assert selectors.add_business_days(date(2026, 11, 25), 1) == AFTER
        assert selectors.add_business_days(date(2026, 11, 25), 3) == date(2026, 12, 1)
        assert selectors.add_business_days(date(2026, 11, 28), 1) == NEXT_MONDAY
        with pytest.raises(ValueError, match="to come"):
            selectors.add_business_days(AFTER, 0)

    def test_a_day_off_is_told_from_a_working_day(self, fall):
        assert selectors.is_trading_day(THANKSGIVING) is False
        assert selectors.is_trading_day(AFTER) is True
        assert TradingDay.objects.get(pk=AFTER).closes_at == datetime(2026, 11, 27, 18, tzinfo=UTC)


class TestAsking:
    def test_an_empty_copy_is_filled_by_asking_once(self, broker):
        broker.days = factories.calendar(
            today() - timedelta(days=40), today() + timedelta(days=500)
        )

        first = selectors.business_day(now(), cutoff=CUTOFF)
        again = selectors.business_day(now(), cutoff=CUTOFF)

        assert first is not None
        assert first >= today()
        assert again == first
        assert broker.asked == [(today() - trading_days.BACK, today() + trading_days.AHEAD)]

    def test_a_broker_that_is_away_leaves_it_unknown_and_is_not_asked_again_and_again(self, broker):
        broker.error = VendorUnavailable("broker", "away")

        answers = [selectors.business_day(now(), cutoff=CUTOFF) for _ in range(5)]

        assert answers == [None] * 5
        assert len(broker.asked) == 1
        assert selectors.is_trading_day(today()) is None
        assert selectors.add_business_days(today(), 3) is None

    def test_nothing_is_made_up_beyond_what_the_broker_has_told(self, fall):
        assert selectors.is_trading_day(date(2028, 1, 3)) is None
        assert selectors.add_business_days(date(2027, 12, 30), 2) is None
        assert selectors.is_trading_day(date(2025, 9, 30)) is None
        assert len(fall.asked) <= 1  # for what the broker might have told by now


class TestRefresh:
    def test_reads_once_a_day(self, broker):
        broker.days = factories.calendar(
            today() - timedelta(days=40), today() + timedelta(days=500)
        )

        read = services.refresh_calendar(at=now())
        known = TradingDay.objects.count()
        at_once = services.refresh_calendar(at=now() + timedelta(hours=23))
        a_day_later = services.refresh_calendar(at=now() + timedelta(hours=24))

        assert read == known > 250
        assert (at_once, a_day_later > 250) == (0, True)

    def test_a_day_that_the_broker_takes_back_is_one_no_more(self, broker):
        broker.days = factories.calendar(today(), today() + timedelta(days=200))
        services.refresh_calendar(at=now())
        mourning = sorted(broker.days)[10]
        del broker.days[mourning]

        services.refresh_calendar(at=now() + timedelta(days=1))

        assert selectors.is_trading_day(mourning) is False

    def test_a_short_calendar_is_alarmed_and_read_every_hour(self, broker):
        broker.days = factories.calendar(today(), today() + timedelta(days=60))

        with capture_logs() as logs:
            services.refresh_calendar(at=now())
        soon = services.refresh_calendar(at=now() + timedelta(minutes=30))
        later = services.refresh_calendar(at=now() + timedelta(hours=1))

        assert "calendar.short_horizon" in [entry["event"] for entry in logs]
        assert (soon, later > 30) == (0, True)

    def test_a_broker_that_is_away_takes_nothing_from_the_copy(self, fall):
        fall.error = VendorUnavailable("broker", "away")
        before = TradingDay.objects.count()

        with pytest.raises(VendorUnavailable):
            services.refresh_calendar(at=now() + timedelta(days=2))

        assert TradingDay.objects.count() == before


class TestAgainstTheSandbox:
    def test_known_days_are_read_as_they_are(self, exchange, settings):
        exchange.point(settings)

        days = {d.on: d for d in AlpacaBroker().calendar(date(2026, 3, 2), date(2026, 12, 1))}

        assert THANKSGIVING not in days
        assert days[AFTER].closes_at == datetime(2026, 11, 27, 18, tzinfo=UTC)
        assert days[AFTER].settles_on == NEXT_MONDAY
        assert days[date(2026, 3, 6)].opens_at == datetime(2026, 3, 6, 14, 30, tzinfo=UTC)
        assert days[date(2026, 3, 9)].opens_at == datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
        assert days[date(2026, 10, 30)].closes_at == datetime(2026, 10, 30, 20, tzinfo=UTC)
        assert days[date(2026, 11, 2)].closes_at == datetime(2026, 11, 2, 21, tzinfo=UTC)
        assert not {date(2026, 7, 3), date(2026, 4, 3), date(2026, 11, 28)} & set(days)

    def test_dates_without_a_day_are_not_taken_for_a_calendar(self, exchange, settings):
        exchange.point(settings)

        with pytest.raises(VendorUnavailable, match="calendar"):
            AlpacaBroker().calendar(THANKSGIVING, THANKSGIVING)

    def test_the_copy_is_filled_and_answers(self, exchange, settings):
        exchange.point(settings)
        assert not gateways._in_use
        trading_days.forget_asking()

        services.refresh_calendar(at=now())
        day = selectors.business_day(now(), cutoff=CUTOFF)

        assert day is not None
        assert day.weekday() < 5
        assert selectors.add_business_days(day, 3) > day + timedelta(days=2)


class TestNextOpen:
    @pytest.mark.parametrize(
        ("at", "opens_at"),
        [
            ("2026-11-25T09:29:59-05:00", "2026-11-25T09:30:00-05:00"),
            ("2026-11-25T09:30:00-05:00", "2026-11-27T09:30:00-05:00"),
            ("2026-11-27T13:00:00-05:00", "2026-11-30T09:30:00-05:00"),
            ("2026-03-06T16:00:00-05:00", "2026-03-09T09:30:00-04:00"),
            ("2026-10-30T16:00:00-04:00", "2026-11-02T09:30:00-05:00"),
        ],
    )
    def test_is_what_the_calendar_says(self, fall, no_prices, at, opens_at):
        fall.is_open = True  # so that the clock has nothing to add

        found = selectors.next_open(at=datetime.fromisoformat(at))

        assert found == datetime.fromisoformat(opens_at)

    def test_an_opening_that_is_put_off_is_the_clocks(self, fall, no_prices):
        at = datetime.fromisoformat("2026-11-25T10:00:00-05:00")
        fall.is_open, fall.clock = False, lambda: at

        assert selectors.next_open(at=at) == at + timedelta(hours=1)

    def test_without_a_calendar_and_a_clock_nobody_can_tell(self, broker, no_prices):
        broker.is_open = True

        assert selectors.next_open(at=datetime.fromisoformat("2031-01-01T00:00:00+00:00")) is None
