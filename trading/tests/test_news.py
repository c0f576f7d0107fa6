"""What the broker tells: once each, in any order, as often as it likes."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from core import inbox
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear
from core.events import subscribe
from trading import services
from trading.events import HoldingsChanged, OrderFilled, OrderSettled
from trading.models import Execution
from trading.services import holdings, news
from trading.tests import factories
from trading.tests.factories import buy, cash_of, positions_of, reload, sell

pytestmark = pytest.mark.django_db
TEN, HUNDRED = Decimal(10), Decimal(100)
heard: list[object] = []
for kind in (HoldingsChanged, OrderFilled, OrderSettled):
    subscribe(kind, heard.append)


def tell(*events):
    for event in events:
        inbox.receive(news.SOURCE, event["event_ulid"], event)
    return services.apply_events()


def sync(account):
    return services.sync_holdings(account_id=account.pk, at=datetime.now(UTC))


def executions():
    with acting_as(SYSTEM):
        return list(Execution.objects.order_by("id"))


@pytest.fixture
def bought(place, broker):
    """An order for ten shares that the broker has."""
    return place(buy(quantity="9"))


class TestAFill:
    def test_moves_cash_and_position_in_the_transaction_of_its_event(self, bought, broker, account):
        tell(broker.fill(str(bought.pk), Decimal(9), HUNDRED))

        order = reload(bought)
        assert (order.vendor_status, order.filled_quantity) == ("filled", Decimal(9))
        assert order.average_price == HUNDRED
        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert (cash_of(account).cash, cash_of(account).buying_power) == (HUNDRED, HUNDRED)
        assert broker.readings == 0

    def test_told_twice_counts_once(
        self, bought, broker, account, django_capture_on_commit_callbacks
    ):
        event = broker.fill(str(bought.pk), Decimal(9), HUNDRED)

        tell(event, event)
        heard.clear()
        with django_capture_on_commit_callbacks(execute=True):
            tell({**event, "event_ulid": "01KE6Z3M5QZZZZZZZZZZZZZZZZ"})

        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert cash_of(account).cash == HUNDRED
        assert (len(executions()), heard) == (1, [])

    def test_parts_add_up_and_the_average_is_the_brokers(self, bought, broker, account):
        tell(broker.fill(str(bought.pk), Decimal(3), HUNDRED))
        assert reload(bought).vendor_status == "partially_filled"

        tell(broker.fill(str(bought.pk), Decimal(6), Decimal(101)))

        order = reload(bought)
        assert (order.vendor_status, order.filled_quantity) == ("filled", Decimal(9))
        assert round(order.average_price, 4) == Decimal("100.6667")
        assert cash_of(account).cash == Decimal("94.00")

    def test_a_sale_empties_the_position_and_brings_the_money(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "2"})
        broker.positions["AAPL"] = (Decimal(2), Decimal(180))
        order = place(sell(quantity="2"))

        tell(broker.fill(str(order.pk), Decimal(2), Decimal("110.50")))

        assert positions_of(account) == {}
        assert cash_of(account).cash == Decimal("1221.00")

    def test_news_is_told_once_it_is_committed(
        self, bought, broker, account, django_capture_on_commit_callbacks
    ):
        heard.clear()
        event = broker.fill(str(bought.pk), Decimal(9), HUNDRED)

        with django_capture_on_commit_callbacks(execute=True):
            tell(event)

        assert heard == [
            HoldingsChanged(account.pk),
            OrderSettled(bought.pk, account.pk),
            OrderFilled(bought.pk, account.pk),
        ]


class TestAnyOrderOfEvents:
    @pytest.mark.parametrize("order_of_events", list(itertools.permutations(range(4))))
    def test_ends_in_the_same_state(self, bought, broker, account, order_of_events):
        key = str(bought.pk)
        events = [
            broker.move(key, "new"),
            broker.fill(key, Decimal(2), HUNDRED),
            broker.fill(key, Decimal(3), Decimal(101)),
            broker.fill(key, Decimal(4), Decimal(102)),
        ]

        tell(*(events[index] for index in order_of_events))

        order = reload(bought)
        assert (order.vendor_status, order.filled_quantity) == ("filled", Decimal(9))
        assert order.booked_quantity == Decimal(9)
        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert cash_of(account).cash == Decimal("89.00")

    def test_a_fill_that_overtakes_a_cancel_is_booked(self, bought, broker, account):
        key = str(bought.pk)
        canceled = broker.move(key, "canceled")
        filled = broker.fill(key, Decimal(9), HUNDRED)

        tell(canceled, filled)

        assert reload(bought).vendor_status == "filled"
        assert positions_of(account) == {"AAPL": Decimal(9)}

    def test_an_early_word_after_the_end_changes_nothing(self, bought, broker):
        key = str(bought.pk)
        late = broker.move(key, "new")

        tell(broker.fill(key, Decimal(9), HUNDRED), late)

        assert reload(bought).vendor_status == "filled"

    def test_an_unknown_word_is_kept(self, bought, broker):
        tell(broker.move(str(bought.pk), "pondering"))

        order = reload(bought)
        assert (order.vendor_status, order.is_working) == ("pondering", True)


class TestNewsBeforeTheAnswer:
    def test_is_the_answer(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(quantity="9"))
        assert order.state == "UNKNOWN"

        tell(broker.fill(str(order.pk), Decimal(9), HUNDRED))

        order = reload(order)
        assert (order.state, order.vendor_status) == ("ACCEPTED", "filled")
        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert cash_of(account).cash == HUNDRED

    def test_of_a_rejection_is_one_too(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(quantity="9"))

        tell(broker.move(str(order.pk), "rejected"))

        order = reload(order)
        assert (order.state, order.reserved_cash) == ("REJECTED", Decimal(0))
        assert cash_of(account).cash == Decimal(1000)

    @pytest.mark.parametrize(("word", "alarms"), [("rejected", 0), ("new", 1)])
    def test_only_a_refused_order_that_lives_alarms(self, place, broker, word, alarms):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(quantity="9"))
        tell(broker.move(str(order.pk), "rejected"))

        with capture_logs() as logs:
            tell(broker.move(str(order.pk), word))

        assert [log["event"] for log in logs].count("order.alive_at_broker") == alarms


class TestReadingHoldings:
    def test_a_reading_and_its_late_event_count_a_fill_once(self, bought, broker, account):
        event = broker.fill(str(bought.pk), Decimal(9), HUNDRED)

        sync(account)
        assert positions_of(account) == {"AAPL": Decimal(9)}
        tell(event)

        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert cash_of(account).cash == HUNDRED

    def test_agrees_with_what_the_event_has_booked(self, bought, broker, account):
        tell(broker.fill(str(bought.pk), Decimal(9), HUNDRED))

        assert sync(account) == []

    def test_an_overtaken_reading_is_made_again(self, bought, broker, account):
        first = []

        def fill_meanwhile(**_):
            positions = type(broker).list_positions(broker, broker_account_id="")
            if not first:
                first.append(tell(broker.fill(str(bought.pk), Decimal(9), HUNDRED)))
            return positions

        broker.list_positions = fill_meanwhile

        sync(account)

        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert cash_of(account).cash == HUNDRED
        assert broker.readings == 2

    def test_a_fill_between_its_two_questions_has_them_asked_again(self, bought, broker, account):
        events = []

        def fill_first(*, broker_account_id):
            if not events:
                events.append(broker.fill(str(bought.pk), Decimal(9), HUNDRED))
            return type(broker).get_cash(broker, broker_account_id=broker_account_id)

        broker.get_cash = fill_first

        sync(account)
        assert positions_of(account) == {"AAPL": Decimal(9)}
        tell(*events)

        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert cash_of(account).cash == HUNDRED

    def test_an_older_reading_never_replaces_a_newer_one(self, account, broker):
        asked = []

        def slowly(*, broker_account_id):
            told = type(broker).get_cash(broker, broker_account_id=broker_account_id)
            asked.append(told)
            if len(asked) == 1:
                broker.cash = Decimal(2000)  # a deposit arrives, and somebody reads it first
                sync(account)
            return told

        broker.get_cash = slowly

        sync(account)

        assert cash_of(account).cash == Decimal(2000)
        assert len(asked) == 3

    def test_shares_that_are_gone_are_forgotten(self, account, broker):
        factories.fund(account, positions={"MSFT": "1"})

        drift = sync(account)

        assert (positions_of(account), "MSFT" in drift) == ({}, True)

    def test_nothing_new_tells_nobody(self, account, broker, django_capture_on_commit_callbacks):
        sync(account)
        heard.clear()

        with django_capture_on_commit_callbacks(execute=True):
            sync(account)

        assert heard == []

    def test_frees_what_the_broker_already_counts(self, place, broker, account):
        order = place(buy(notional="600"))
        assert reload(order).reserved_cash == Decimal(600)

        sync(account)

        assert reload(order).reserved_cash == Decimal(0)
        assert cash_of(account).buying_power == Decimal(400)

    def test_keeps_what_the_broker_may_not_know_of(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"))
        order = place(buy(notional="600"))

        sync(account)

        assert reload(order).reserved_cash == Decimal(600)


class TestHealing:
    def heal(self):
        return services.heal_accounts(at=datetime.now(UTC))

    def test_finds_the_fill_whose_event_was_lost(self, bought, broker, account):
        event = broker.fill(str(bought.pk), Decimal(9), HUNDRED)

        counts = self.heal()

        assert (counts["accounts"], counts["orders"]) == (1, 1)
        assert reload(bought).vendor_status == "filled"
        assert positions_of(account) == {"AAPL": Decimal(9)}
        tell(event)
        assert positions_of(account) == {"AAPL": Decimal(9)}
        assert cash_of(account).cash == HUNDRED

    def test_finds_an_order_that_is_no_longer_among_the_latest(self, bought, broker, account):
        broker.fill(str(bought.pk), Decimal(9), HUNDRED)
        broker.page = 0

        self.heal()

        assert reload(bought).vendor_status == "filled"

    def test_reports_nothing_on_a_healthy_account(self, bought, broker, account):
        tell(broker.fill(str(bought.pk), Decimal(9), HUNDRED))
        self.heal()

        counts = self.heal()

        assert (counts["orders"], counts["holdings"]) == (0, 0)


class TestStrangeNews:
    def test_a_trade_made_without_us_has_the_holdings_read(
        self, bought, broker, account, django_capture_on_commit_callbacks
    ):
        event = broker.fill(str(bought.pk), Decimal(9), HUNDRED)
        event["order"] = {**event["order"], "client_order_id": "by-hand", "id": "elsewhere"}

        assert tell(event) == 1

        assert reload(bought).filled_quantity == Decimal(0)
        assert executions() == []

    def test_an_unreadable_event_is_parked_and_the_next_one_flows(self, bought, broker):
        filled = broker.fill(str(bought.pk), Decimal(9), HUNDRED)

        applied = tell({"event_ulid": "01KE6Z3M5Q0000000000000000", "event": "fill"}, filled)

        assert applied == 1
        assert reload(bought).vendor_status == "filled"

    def test_a_busted_trade_is_marked_and_the_broker_asked(self, bought, broker, account):
        key = str(bought.pk)
        filled = broker.fill(key, Decimal(9), HUNDRED)
        tell(filled)
        busted = {
            **filled,
            "event": "trade_bust",
            "event_ulid": "01KE6Z3M5QZZZZZZZZZZZZZZZZ",
            "order": {**filled["order"], "filled_qty": "0", "filled_avg_price": None},
        }

        tell(busted)

        assert [row.is_busted for row in executions()] == [True]
        assert reload(bought).filled_quantity == Decimal(0)


class TestBookFill:
    def test_without_known_holdings_there_is_nothing_to_move(self, bought, broker, account):
        with acting_as(SYSTEM):
            type(cash_of(account)).objects.all().delete()

        tell(broker.fill(str(bought.pk), Decimal(9), HUNDRED))

        assert positions_of(account) == {}
        assert not holdings.are_known(account.pk)
