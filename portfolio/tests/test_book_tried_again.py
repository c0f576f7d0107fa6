"""Whose value a day leaves open, and who has none to keep."""

from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.db import connection
from structlog.testing import capture_logs

from core import realtime
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable
from market import frames
from market.tests import factories as market_factories
from portfolio.models import BookValuation
from portfolio.tests.books import WORTH, fill, kept, session, shown, value
from portfolio.whole_book import closing, prices
from trading.tests import factories as trading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("published")]


def unpublish(symbol):
    """Let nobody publish a price of this symbol."""
    number = trading.new_instrument(symbol).number
    realtime.connection().hdel(frames.SNAPSHOT_KEY, str(number))


def let_the_pause_end():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_leaserow SET until = clera_now() - interval '1 second'")


class TestTryingAgain:
    def test_what_a_vendor_could_not_be_asked_for_is_asked_for_later(self, book, vendors, closed):
        unpublish("NOBODY")
        vendors.data.error = VendorUnavailable("data", "It is away.")
        with capture_logs() as logs:
            totals = value()

        assert (totals.kept_count, totals.incomplete_count) == (8, 1)
        assert shown(book) == WORTH
        assert "book.left_incomplete" in [log["event"] for log in logs]
        assert not BookValuation.objects.exists()
        before = {key: row.at for key, row in kept().items()}

        vendors.data.error = None
        vendors.data.found["NOBODY"] = market_factories.snapshot(
            "NOBODY", "7.00", at=datetime.now(UTC), close="6.00"
        )
        assert value() is None  # not every minute
        let_the_pause_end()
        again = value()

        assert (again.kept_count, again.incomplete_count) == (1, 0)
        assert shown(book) == WORTH | {"unlisted": ("117.00", "2.00")}
        assert {key for key, row in kept().items() if row.at != before[key]} == {
            book["unlisted"].pk
        }
        assert BookValuation.objects.get().incomplete_count == 0
        let_the_pause_end()
        assert value() is None

    def test_so_is_an_instrument_that_the_broker_could_not_be_asked_about(
        self, book, vendors, closed
    ):
        def find_asset(_):
            raise VendorUnavailable("broker", "It is away.")

        vendors.broker.find_asset, find = find_asset, vendors.broker.find_asset
        value()
        assert not BookValuation.objects.exists()

        vendors.broker.find_asset = find
        let_the_pause_end()
        value()
        assert BookValuation.objects.get().incomplete_count == 1  # for the broker knows none

    def test_shares_are_answered_for_though_nobody_answers_for_coins(self, vendors):
        def snapshots(symbols, *, today):
            if "BTC/USD" in symbols:
                raise VendorUnavailable("data", "It is away.")
            return {"GONE": market_factories.snapshot("GONE", "7.00", at=datetime.now(UTC))}

        for symbol in ("BTC/USD", "GONE"):
            unpublish(symbol)
        vendors.data.snapshots = snapshots

        told = prices.read(symbols=["BTC/USD", "GONE"], at=datetime.now(UTC))

        assert not told.is_answered
        assert told.vectors.prices[told.numbers["GONE"]] == 7

    def test_the_day_ends_when_the_evening_does(self, book, vendors):
        session(closing.TRY_FOR)
        unpublish("NOBODY")
        vendors.data.error = VendorUnavailable("data", "It is away.")

        value()

        assert BookValuation.objects.get().incomplete_count == 1

    def test_nobody_waits_for_what_is_complete_without_it(self, book, vendors, closed, published):
        with acting_as(SYSTEM):
            apps.get_model("trading", "Position").objects.filter(symbol="NOBODY").delete()
        trading.set_price(published, "100.00", close="0")
        vendors.data.error = VendorUnavailable("data", "It is away.")

        value()

        assert BookValuation.objects.get().incomplete_count == 0


class TestClosedAccounts:
    def close(self, *accounts):
        with acting_as(SYSTEM):
            ids = [account.pk for account in accounts]
            apps.get_model("accounts", "BrokerageAccount").objects.filter(pk__in=ids).update(
                vendor_status="ACCOUNT_CLOSED"
            )

    def test_have_no_row_once_nothing_is_left_in_them(self, closed):
        empty, shut = trading.new_account("empty-sub"), trading.new_account("shut-sub")
        for account in (empty, shut):
            trading.fund(account, cash="0.00")
        self.close(shut)

        totals = value()

        assert kept().keys() == {empty.pk}
        assert totals.kept_count == 1

    def test_have_one_while_there_is_anything_to_tell(self, book, closed):
        left, earned, unknown = (trading.new_account(f"{n}-sub") for n in range(3))
        trading.fund(left, cash="0.01")
        trading.fund(earned, cash="0.00")
        trading.fund(unknown, cash="0.00", positions={"NOBODY": "1"})
        with acting_as(SYSTEM):
            fill(earned, "SELL", "4", "101.00")
        self.close(left, earned, unknown)

        value()

        more = {"left": left, "earned": earned, "unknown": unknown}
        assert shown(more) == {
            "left": ("0.01", "0.00"),
            "earned": ("0.00", "8.00"),
            "unknown": (None, None),
        }
