"""All accounts at once come to what each is worth for itself, and are kept once a day."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from structlog.testing import capture_logs

from core import leases, realtime
from core.auth import SYSTEM, acting_as
from market import frames
from market.facts import new_york_date
from market.tests import factories as market_factories
from portfolio import selectors, services, tasks
from portfolio.models import BookValuation
from portfolio.tests.books import WORTH, fill, kept, session, shown, value
from portfolio.whole_book import closing, prices
from portfolio.whole_book.prices import PricesNotLive
from portfolio.whole_book.valuing import value_parts
from trading.tests import factories as trading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("published")]


@pytest.mark.usefixtures("closed")
class TestKeeping:
    def test_writes_one_row_for_each_account_that_was_ever_read(self, book):
        totals = value()

        assert shown(book) == WORTH
        assert (totals.account_count, totals.incomplete_count, totals.kept_count) == (8, 1, 8)
        row = kept()[book["long"].pk]
        assert (row.user_id, str(row.cash), row.is_complete) == ("long-sub", "1000.00", True)
        assert (row.day, row.epoch, row.seq) == (new_york_date(datetime.now(UTC)), "1.1", 1)
        assert (row.kind, row.source) == ("CLOSE", "PUBLISHED")

    def test_comes_to_what_each_account_is_told(self, book):
        value()

        for account_id, row in kept().items():
            told = selectors.get_value(principal=SYSTEM, account_id=account_id, at=row.at)
            if row.is_complete:
                assert row.total_value == told.worth.total
                assert row.day_return == told.worth.day_return
            else:
                assert told.worth.unpriced == ["NOBODY"]

    def test_is_done_once(self, book):
        value()

        assert value() is None
        assert BookValuation.objects.get().account_count == 8

    def test_does_an_interrupted_run_again_and_leaves_alone_what_is_complete(self, book, published):
        value()
        before = {key: row.at for key, row in kept().items()}
        trading.set_price(published, "120.00")
        trading.set_price(trading.new_instrument("NOBODY"), "7.00")

        totals = closing.value_day(new_york_date(datetime.now(UTC)), at=datetime.now(UTC))

        assert totals.kept_count == 1
        assert shown(book) == WORTH | {"unlisted": ("137.00", "-71.00")}
        assert {key for key, row in kept().items() if row.at != before[key]} == {
            book["unlisted"].pk
        }

    def test_leaves_it_to_another_process_that_is_at_it(self, book):
        lease = leases.acquire("portfolio.value_book", seconds=60)

        assert value() is None
        assert kept() == {}
        leases.release(lease)
        assert value().kept_count == 8

    def test_asks_the_vendor_for_what_nobody_publishes(self, book, vendors):
        unpublished = trading.new_instrument("NOBODY")
        realtime.connection().hdel(frames.SNAPSHOT_KEY, str(unpublished.number))
        vendors.data.found["NOBODY"] = market_factories.snapshot(
            "NOBODY", "7.00", at=datetime.now(UTC), close="6.00"
        )

        value()

        assert shown(book)["unlisted"] == ("117.00", "2.00")
        assert {row.source for row in kept().values()} == {"ASKED"}

    def test_asks_the_vendor_for_what_is_published_but_stale(self, book, vendors, published):
        field = str(published.number)
        row = frames.read_row(realtime.connection().hget(frames.SNAPSHOT_KEY, field))
        stale = frames.row(row._replace(flags=frames.STALE))
        realtime.connection().hset(frames.SNAPSHOT_KEY, field, stale)

        value()
        assert shown(book)["long"] == (None, None)
        assert shown(book)["cash"] == ("0.07", "0.00")

        vendors.data.found["AAPL"] = market_factories.snapshot("AAPL", "101", at=datetime.now(UTC))
        told = prices.read(symbols=["AAPL"], at=datetime.now(UTC))
        assert told.vectors.prices[published.number] == 101

    def test_a_close_that_nobody_knows_leaves_the_return_open(self, book, published):
        trading.set_price(published, "100.00", close="0")

        value()

        assert shown(book)["long"] == ("1300.00", None)
        assert shown(book)["cash"] == ("0.07", "0.00")

    def test_writes_everybody_though_one_has_more_than_a_column_holds(self, book):
        trading.fund(trading.new_account("first"), cash="9999999999999999.99")
        trading.fund(trading.new_account("second"), cash="-9999999999999999.99")
        dreamer = book["dreamer"] = trading.new_account("third")
        trading.fund(dreamer, cash="1.00")
        with acting_as(SYSTEM):
            fill(dreamer, "SELL", "99999999999999", "900")

        totals = value()

        assert (totals.account_count, totals.incomplete_count, totals.kept_count) == (11, 3, 9)
        assert shown(book) == WORTH | {"dreamer": ("1.00", None)}

    def test_lets_others_look_at_the_figures(self, book):
        seen = []
        services.value_book(at=datetime.now(UTC), look=seen.append)

        [part] = seen
        found = {UUID(bytes=key.tobytes()): n for n, key in enumerate(part.account_ids)}
        assert part.totals[found[book["long"].pk]] == 130_000
        assert part.returns[found[book["short"].pk]] == -250
        assert not part.is_complete[found[book["unlisted"].pk]]


def test_small_parts_come_to_the_same_as_one_large_one(book):
    now = datetime.now(UTC)
    told = prices.read(symbols=["AAPL", "CONTRACT"], at=now)
    since = now - timedelta(hours=1)

    def figures(size):
        return [
            (key.tobytes(), *rest)
            for part in value_parts(told, since=since, accounts_a_part=size)
            for key, *rest in zip(
                part.account_ids, part.totals.tolist(), part.returns.tolist(),
                part.is_complete.tolist(), strict=True,
            )
        ]  # fmt: skip

    assert len(figures(100)) == 8
    assert figures(1) == figures(3) == figures(100)


class TestWhenItIsDue:
    @pytest.mark.parametrize("ago", [timedelta(minutes=-30), timedelta(minutes=1)])
    def test_is_not_before_the_last_trades_of_the_session_are_told(self, book, ago):
        session(ago)

        assert value() is None
        assert kept() == {}

    def test_is_never_on_a_day_without_a_session(self, book, vendors):
        vendors.broker.days = market_factories.calendar(
            new_york_date(datetime.now(UTC)) - timedelta(days=9),
            new_york_date(datetime.now(UTC)) + timedelta(days=9),
            closed={new_york_date(datetime.now(UTC))},
        )

        assert value() is None

    def test_waits_until_prices_are_live(self, book, closed):
        realtime.connection().delete(frames.SNAPSHOT_KEY)

        with pytest.raises(PricesNotLive):
            value()
        with capture_logs() as logs:
            tasks.value_book()

        assert [log["event"] for log in logs] == ["book.not_valued"]
        assert kept() == {}

        trading.set_price(trading.new_instrument("AAPL"), "100.00")
        tasks.value_book()
        assert shown(book)["long"] == WORTH["long"]

    def test_refuses_the_closes_of_another_day(self, book, closed, published):
        head = frames.Frame(
            epoch=frames.Epoch(1, 1),
            seq=2,
            as_of_ns=1,
            sent_ms=int(datetime.now(UTC).timestamp() * 1000),
            day=1,
        )
        realtime.connection().hset(
            frames.SNAPSHOT_KEY, frames.HEAD_FIELD.decode(), frames.encode(head)
        )

        with pytest.raises(PricesNotLive):
            value()


class TestCommand:
    def run(self, *arguments):
        out = StringIO()
        call_command("value_book", *arguments, stdout=out)
        return out.getvalue()

    def test_shows_how_far_it_is_and_what_came_of_it(self, book, closed):
        text = self.run()

        assert "           8 accounts" in text
        assert "Valued 8 accounts, 1 of them without a total because a price lacks; 8 rows" in text
        assert "Nothing is due" in self.run()

    def test_only_looks_when_told_so(self, book):
        assert "Valued 8 accounts, 1 of them" in self.run("--dry-run")
        assert kept() == {}

    def test_says_when_prices_are_not_live(self, book, closed):
        realtime.connection().delete(frames.SNAPSHOT_KEY)

        with pytest.raises(CommandError, match="Prices are not live right now"):
            self.run()
