"""What has changed holdings today, by trades and by what companies do to their shares."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core import realtime
from market import days
from trading import selectors, services
from trading.gateways import BrokerShares
from trading.selectors import Traded
from trading.states import MovementKind
from trading.tests import day_records
from trading.tests.factories import buy
from trading.tests.telling import now, tell

pytestmark = pytest.mark.django_db
D = Decimal
SINCE = days.start_of(days.day_at(datetime(2026, 3, 6, 17, tzinfo=UTC)))
NOON = SINCE + timedelta(hours=12)
DATE_ALONE = datetime(2026, 3, 6, tzinfo=UTC)


def changed(account):
    return selectors.changed_since(account_ids=[account.pk], since=SINCE).get(account.pk, {})


class TestChangedSince:
    def test_adds_the_shares_of_a_split_which_cost_nothing(self, account):
        day_records.move(account, "SPLIT", D(-4), at=NOON, cost=D(-400))
        day_records.move(account, "SPLIT", D(16), at=NOON, cost=D(400))

        assert changed(account) == {"AAPL": Traded(quantity=D(12), spent=D(0))}

    def test_a_fraction_that_is_paid_out_is_as_good_as_sold(self, account):
        day_records.move(account, "CASH_IN_LIEU", D("-0.5"), at=NOON, cost=D(140))

        assert changed(account) == {"AAPL": Traded(quantity=D("-0.5"), spent=D(-140))}

    @pytest.mark.parametrize("kind", ["STOCK_DIVIDEND", "SPIN_OFF"])
    def test_adds_other_shares_that_a_company_gives(self, account, kind):
        day_records.move(account, kind, D(2), at=NOON, cost=D(7))

        assert changed(account) == {"AAPL": Traded(quantity=D(2), spent=D(0))}

    @pytest.mark.parametrize("kind", ["OPENING", "SYMBOL_CHANGE", "TRANSFER", "ADJUSTMENT"])
    def test_shares_from_elsewhere_count_as_if_they_had_been_here_all_day(self, account, kind):
        day_records.move(account, kind, D(2), at=NOON)

        assert changed(account) == {}

    def test_leaves_out_what_was_taken_back(self, account):
        day_records.move(account, "SPLIT", D(2), at=NOON, is_void=True)

        assert changed(account) == {}

    @pytest.mark.parametrize(
        ("at", "is_todays"),
        [
            (SINCE, True),
            (SINCE - timedelta(microseconds=1), False),
            (DATE_ALONE, True),
            (DATE_ALONE + timedelta(seconds=1), False),  # a time of the evening before
            (DATE_ALONE - timedelta(days=1), False),
        ],
    )
    def test_knows_a_movement_of_today_by_its_time_or_by_its_date_alone(
        self, account, at, is_todays
    ):
        day_records.move(account, "SPLIT", D(2), at=at)

        assert bool(changed(account)) == is_todays


def test_whoever_values_an_account_hears_of_a_split_that_was_found(
    place, broker, account, django_capture_on_commit_callbacks
):
    tell(broker.fill(str(place(buy(quantity="4")).pk), D(4), D(100)))
    broker.positions["AAPL"] = (D(8), D(400))
    broker.movements = [
        BrokerShares(
            activity_id="in",
            activity_type="SPLIT",
            kind=MovementKind.SPLIT,
            symbol="AAPL",
            quantity=D(4),
            at=now(),
        )
    ]
    ears = realtime.connection().pubsub(ignore_subscribe_messages=True)
    ears.subscribe(realtime.ACCOUNT_CHANGED)
    ears.get_message(timeout=1)

    with django_capture_on_commit_callbacks(execute=True):
        services.sync_holdings(account_id=account.pk, at=now())

    heard = [json.loads(m["data"]) for m in iter(lambda: ears.get_message(timeout=0.1), None)]
    assert heard == [{"account_id": str(account.pk)}] * 2
