from datetime import UTC, date, datetime, timedelta

import pytest

from sandbox.sessions import NEW_YORK, Sessions, holidays


def new_york(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=NEW_YORK)  # type: ignore[arg-type, misc]


class TestHolidays:
    def test_are_those_the_exchanges_published_for_2026(self):
        assert sorted(holidays(2026)) == [
            date(2026, 1, 1),
            date(2026, 1, 19),
            date(2026, 2, 16),
            date(2026, 4, 3),
            date(2026, 5, 25),
            date(2026, 6, 19),
            date(2026, 7, 3),
            date(2026, 9, 7),
            date(2026, 11, 26),
            date(2026, 12, 25),
        ]

    def test_a_new_year_on_a_saturday_is_not_kept_on_the_friday_before(self):
        assert date(2021, 12, 31) not in holidays(2021)
        assert not any(day.month == 1 and day.day < 10 for day in holidays(2022))

    def test_juneteenth_was_not_kept_before_2022(self):
        assert not any(day.month == 6 for day in holidays(2021))
        assert date(2022, 6, 20) in holidays(2022)


class TestRealSessions:
    sessions = Sessions("real")

    @pytest.mark.parametrize(
        ("at", "is_open"),
        [
            (new_york(2026, 11, 23, 9, 29, 59), False),
            (new_york(2026, 11, 23, 9, 30), True),
            (new_york(2026, 11, 23, 15, 59, 59), True),
            (new_york(2026, 11, 23, 16), False),
            (new_york(2026, 11, 26, 12), False),  # Thanksgiving
            (new_york(2026, 11, 27, 12, 59), True),
            (new_york(2026, 11, 27, 13), False),  # the short day after it
            (new_york(2026, 11, 28, 12), False),
        ],
    )
    def test_is_open_as_the_exchanges_are(self, at: datetime, is_open: bool):
        assert self.sessions.is_open(at) is is_open

    def test_keeps_new_york_hours_in_summer_and_winter(self):
        winter, summer = self.sessions.on(date(2026, 1, 5)), self.sessions.on(date(2026, 7, 6))

        assert winter is not None
        assert summer is not None
        assert winter.open == datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
        assert summer.open == datetime(2026, 7, 6, 13, 30, tzinfo=UTC)

    def test_tells_the_next_opening_and_closing_over_a_weekend(self):
        friday_evening = new_york(2026, 11, 20, 18)

        assert self.sessions.next_open(friday_evening) == new_york(2026, 11, 23, 9, 30)
        assert self.sessions.next_close(friday_evening) == new_york(2026, 11, 23, 16)

    def test_prices_stand_at_the_last_close_while_closed(self):
        sunday = new_york(2026, 11, 22, 12)

        assert self.sessions.trading_moment(sunday) == new_york(2026, 11, 20, 16)

    def test_there_are_about_252_in_a_year(self):
        assert len(self.sessions.between(date(2026, 1, 1), date(2026, 12, 31))) == 251


class TestOpenSessions:
    sessions = Sessions("open")

    def test_is_always_open(self):
        start = new_york(2026, 11, 20)

        assert all(self.sessions.is_open(start + timedelta(hours=n)) for n in range(96))

    def test_every_day_has_a_session_that_ends_on_its_own_date(self):
        sessions = self.sessions.between(date(2026, 11, 21), date(2026, 11, 22))

        assert [(s.open, s.close) for s in sessions] == [
            (new_york(2026, 11, 21), new_york(2026, 11, 21, 23, 59)),
            (new_york(2026, 11, 22), new_york(2026, 11, 22, 23, 59)),
        ]


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="open or real"):
        Sessions("sometimes")
