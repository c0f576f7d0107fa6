"""What orders do to the cash ledger, however they end and whoever tells of it."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core import inbox
from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.intents import sending
from ledger import selectors as ledger
from ledger import services as ledger_services
from ledger.states import EntryKind, WitnessKind
from ledger.tests import invariants as ledger_invariants
from trading import services
from trading.models import Order
from trading.risk import RiskRefused
from trading.services import news
from trading.services.orders import OrderCourier
from trading.tests import factories
from trading.tests.factories import buy, customer, pass_time, reload, sell

pytestmark = pytest.mark.django_db
HUNDRED = Decimal(100)


def now():
    return datetime.now(UTC)


def tell(*events):
    for event in events:
        inbox.receive(news.SOURCE, event["event_ulid"], event)
    return services.apply_events()


def held(order):
    return ledger_invariants.open_holds().get(order.pk, Decimal(0))


def cash(account):
    """All of it and what is free, since nothing; the ledger begins empty here."""
    with acting_as(SYSTEM):
        found = ledger.cash_of(account_id=account.pk)
    return found.total, found.available


def books_tell(account, order, *, quantity, cumulative, price="100"):
    """Post a line of the broker's books, as a reading of these does."""
    with acting_as(SYSTEM):
        return ledger_services.post(
            ledger_services.Movement(
                account_id=account.pk,
                kind=EntryKind.PURCHASE if order.is_buy else EntryKind.SALE,
                cash=Decimal(quantity) * Decimal(price) * (-1 if order.is_buy else 1),
                occurred_at=now(),
                told_by=WitnessKind.ACTIVITY,
                external_id=f"activity:{order.pk}:{cumulative}",
                natural_key=ledger_services.fill_key(order.broker_order_id, Decimal(cumulative)),
                quantity=Decimal(quantity),
            )
        )


def witnesses(account):
    """Who has told of each entry that moves cash, the oldest first."""
    with acting_as(SYSTEM):
        entries = ledger.books_of(account.pk).moving_cash().order_by("recorded_at", "id")
        return [sorted(w.kind for w in entry.witnesses.all()) for entry in entries]


def event(told, kind, number, **changes):
    """Tell something else about the order of an event."""
    ulid = f"01KE6Z3M5QZZZZZZZZZZZZZZ{number:02d}"
    return {**told, "event": kind, "event_ulid": ulid, **changes}


class TestAHold:
    @pytest.mark.parametrize(
        ("ticket", "dollars"),
        [
            (buy(notional="250.00"), "250.00"),
            (buy(quantity="3"), "300.00"),
            (buy(quantity="2", limit_price="99.99"), "199.98"),
            (buy(quantity="0.333333333"), "33.33"),
        ],
        ids=str,
    )
    def test_is_what_a_purchase_may_cost(self, place, broker, account, ticket, dollars):
        order = place(ticket)

        assert held(order) == Decimal(dollars)
        assert cash(account) == (Decimal(0), -Decimal(dollars))

    def test_is_not_made_for_a_sale(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "2"})

        order = place(sell(quantity="2"))

        assert (order.is_accepted, held(order)) == (True, 0)

    def test_is_not_made_for_what_the_rules_refuse(self, place, broker, account):
        with pytest.raises(RiskRefused):
            place(buy(notional="5000.00"))

        assert ledger_invariants.open_holds() == {}

    def test_never_makes_the_ledger_refuse_an_order(self, place, broker, account):
        orders = [place(buy(notional=f"{dollars}.00")) for dollars in (400, 300, 299)]

        assert [order.is_accepted for order in orders] == [True] * 3
        assert cash(account) == (Decimal(0), Decimal(-999))

    def test_stays_while_nobody_knows_what_became_of_the_order(self, place, broker):
        broker.plan(VendorUnclear("fake", "no answer"))

        order = place(buy(notional="10.00"))

        assert (order.state, held(order)) == ("UNKNOWN", 10)


class TestTheEndOfAnOrder:
    """Whatever it is, nothing stays held; the fixture of all tests here looks as well."""

    def ends(self, order, account):
        assert not reload(order).is_working
        assert held(order) == 0
        assert cash(account) == (Decimal(0), Decimal(0))

    def test_by_the_brokers_no(self, place, broker, account):
        broker.plan(VendorRejected("fake", "no", vendor_code="403"))

        with pytest.raises(services.OrderRejected):
            place(buy(notional="10.00"))

        (order,) = factories.orders_of(account)
        self.ends(order, account)

    def test_by_its_owner_before_it_was_sent(self, place, broker, account):
        broker.plan(VendorUnavailable("fake", "away"))
        order = place(buy(notional="10.00"))
        assert (order.state, held(order)) == ("PENDING", 10)

        services.cancel_order(
            principal=customer(account.user_id),
            account_id=account.pk,
            order_id=order.pk,
            at=now(),
        )

        self.ends(order, account)

    def test_by_the_sweep_that_could_not_send_it_in_time(self, place, broker, account):
        broker.plan(VendorUnavailable("fake", "away"))
        order = place(buy(notional="10.00"))
        pass_time(301)

        services.sweep_orders(at=now())

        assert reload(order).state == "CANCELED"
        self.ends(order, account)

    @pytest.mark.parametrize("status", ["canceled", "expired", "rejected", "replaced"])
    def test_by_the_brokers_news(self, place, broker, account, status):
        order = place(buy(notional="10.00"))

        tell(broker.move(str(order.pk), status))

        self.ends(order, account)

    def test_by_news_that_overtake_the_answer(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(notional="10.00"))

        tell(broker.move(str(order.pk), "canceled"))

        self.ends(order, account)

    def test_by_a_look_up_that_finds_it_refused(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(notional="10.00"))
        broker.move(str(order.pk), "rejected")
        pass_time(30)

        services.sweep_orders(at=now())

        assert reload(order).state == "REJECTED"
        self.ends(order, account)

    def test_by_an_operator_who_found_no_trace(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"))
        order = place(buy(notional="10.00"))
        with acting_as(SYSTEM):
            Order.objects.filter(pk=order.pk).update(state="NEEDS_REVIEW")
        assert held(order) == 10

        sending.dismiss(order.pk, through=OrderCourier(), at=now())

        self.ends(order, account)

    def test_by_a_reading_that_finds_it_canceled(self, place, broker, account):
        order = place(buy(notional="10.00"))
        broker.move(str(order.pk), "canceled")

        services.heal_accounts(at=now())

        self.ends(order, account)


class TestAFill:
    def test_uses_up_what_was_held_and_the_rest_is_freed_at_the_end(self, place, broker, account):
        order = place(buy(quantity="4"))
        key = str(order.pk)

        tell(broker.fill(key, Decimal(1), Decimal(99)))
        assert held(order) == 301
        assert cash(account) == (Decimal(-99), Decimal(-400))

        tell(broker.fill(key, Decimal(3), Decimal("98.50")))
        assert held(order) == 0
        assert cash(account) == (Decimal("-394.50"), Decimal("-394.50"))
        assert reload(order).posted_quantity == 4

    def test_may_cost_more_than_was_held(self, place, broker, account):
        order = place(buy(quantity="1"))

        tell(broker.fill(str(order.pk), Decimal(1), Decimal("100.07")))

        assert held(order) == 0
        assert cash(account) == (Decimal("-100.07"), Decimal("-100.07"))

    def test_that_is_the_last_before_a_cancel_leaves_nothing_held(self, place, broker, account):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(1), HUNDRED)

        tell(filled, broker.move(str(order.pk), "canceled"))

        assert (held(order), cash(account)) == (0, (-HUNDRED, -HUNDRED))

    @pytest.mark.parametrize("turns", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1), (2, 2, 0, 1, 1)])
    def test_counts_once_in_any_order_of_events(self, place, broker, account, turns):
        order = place(buy(quantity="6"))
        parts = (Decimal(1), Decimal(2), Decimal(3))
        events = [broker.fill(str(order.pk), part, HUNDRED) for part in parts]

        for number, turn in enumerate(turns):
            tell({**events[turn], "event_ulid": f"01KE6Z3M5QZZZZZZZZZZZZZZ{number:02d}"})

        assert cash(account) == (Decimal(-600), Decimal(-600))
        assert (held(order), reload(order).posted_quantity) == (0, 6)
        assert witnesses(account) == [["EXECUTION"]] * 3

    def test_of_a_sale_brings_money_rounded_half_to_even(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "3"})
        broker.positions["AAPL"] = (Decimal(3), Decimal(270))
        order = place(sell(quantity="3"))

        tell(broker.fill(str(order.pk), Decimal("0.5"), Decimal("100.01")))

        assert cash(account) == (Decimal("50.00"), Decimal("50.00"))

    def test_of_less_than_half_a_cent_moves_nothing(self, place, broker, account):
        order = place(buy(quantity="1"))

        tell(broker.fill(str(order.pk), Decimal("0.00004"), HUNDRED))

        assert (cash(account)[0], reload(order).posted_quantity) == (0, Decimal("0.00004"))

    def test_of_an_order_whose_answer_was_lost_is_told(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(quantity="2"))

        tell(broker.fill(str(order.pk), Decimal(2), HUNDRED))

        assert (held(order), cash(account)[0]) == (0, Decimal(-200))


class TestTheBrokersBooks:
    def test_that_come_first_use_up_the_hold_with_the_event(self, place, broker, account):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(3), HUNDRED)
        books_tell(account, order, quantity=3, cumulative=3)
        assert (held(order), cash(account)[0]) == (400, Decimal(-300))

        tell(filled)

        assert (held(order), cash(account)) == (100, (Decimal(-300), Decimal(-400)))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]]

    def test_that_come_second_only_add_their_word(self, place, broker, account):
        order = place(buy(quantity="4"))
        tell(broker.fill(str(order.pk), Decimal(4), HUNDRED))

        books_tell(account, order, quantity=4, cumulative="4.000000000")

        assert cash(account) == (Decimal(-400), Decimal(-400))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]]


class TestLostEvents:
    """A reading shows the order as filled; what was paid, only the broker's books tell."""

    @pytest.fixture
    def filled(self, place, broker):
        order = place(buy(quantity="4"))
        self.events = [
            broker.fill(str(order.pk), Decimal(1), HUNDRED),
            broker.fill(str(order.pk), Decimal(3), HUNDRED),
        ]
        services.heal_accounts(at=now())
        assert reload(order).vendor_status == "filled"
        return order

    def test_keep_the_money_held_until_the_books_tell(self, filled, account):
        assert (held(filled), cash(account)) == (400, (Decimal(0), Decimal(-400)))

        books_tell(account, filled, quantity=1, cumulative=1)
        services.heal_accounts(at=now())
        assert reload(filled).posted_quantity == 1
        assert (held(filled), cash(account)) == (300, (Decimal(-100), Decimal(-400)))

        books_tell(account, filled, quantity=3, cumulative=4)
        services.heal_accounts(at=now())
        assert reload(filled).is_posted
        assert (held(filled), cash(account)) == (0, (Decimal(-400), Decimal(-400)))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]] * 2

    def test_that_come_late_post_nothing_a_second_time(self, filled, account):
        books_tell(account, filled, quantity=1, cumulative=1)
        books_tell(account, filled, quantity=3, cumulative=4)
        services.heal_accounts(at=now())

        tell(*self.events)

        assert (held(filled), cash(account)[0]) == (0, Decimal(-400))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]] * 2

    def test_that_come_late_and_before_the_books_are_posted(self, filled, account):
        tell(*reversed(self.events))

        assert (held(filled), cash(account)[0]) == (0, Decimal(-400))
        assert witnesses(account) == [["EXECUTION"]] * 2

    @pytest.mark.parametrize("do_books_tell", [False, True])
    def test_of_which_a_later_one_came_are_still_waited_for(
        self, place, broker, account, do_books_tell
    ):
        order = place(buy(quantity="4"))
        first = broker.fill(str(order.pk), Decimal(1), HUNDRED)
        tell(broker.fill(str(order.pk), Decimal(3), HUNDRED))
        if do_books_tell:
            books_tell(account, order, quantity=3, cumulative=4)

        services.heal_accounts(at=now())
        assert (held(order), reload(order).posted_quantity) == (100, 3)

        tell(first)
        assert (held(order), cash(account)) == (0, (Decimal(-400), Decimal(-400)))

    def test_of_a_last_fill_below_half_a_cent_are_not_waited_for(self, place, broker, account):
        order = place(buy(quantity="1.00001"))
        broker.fill(str(order.pk), Decimal(1), HUNDRED)
        broker.fill(str(order.pk), Decimal("0.00001"), HUNDRED)
        services.heal_accounts(at=now())
        books_tell(account, order, quantity=1, cumulative=1)

        services.heal_accounts(at=now())

        assert (reload(order).is_posted, held(order)) == (True, 0)


class TestACorrection:
    @pytest.fixture
    def filled(self, place, broker):
        order = place(buy(quantity="4"))
        self.told = broker.fill(str(order.pk), Decimal(4), HUNDRED)
        tell(self.told)
        return order

    def test_that_takes_a_fill_back_returns_the_money(self, filled, account):
        nothing = {**self.told["order"], "filled_qty": "0", "filled_avg_price": None}
        bust = event(self.told, "trade_bust", 1, order=nothing)

        tell(bust, event(bust, "trade_bust", 2))

        assert cash(account) == (Decimal(0), Decimal(0))

    def test_that_changes_a_price_moves_the_difference(self, filled, account):
        changes = {
            "execution_id": "the-right-one",
            "previous_execution_id": self.told["execution_id"],
            "price": "101",
            "order": {**self.told["order"], "filled_avg_price": "101"},
        }
        correct = event(self.told, "trade_correct", 1, **changes)

        tell(correct, event(correct, "trade_correct", 2))

        assert cash(account) == (Decimal(-404), Decimal(-404))
        assert (held(filled), reload(filled).is_posted) == (0, True)

    def test_leaves_alone_what_is_still_to_come(self, place, broker, account):
        order = place(buy(quantity="6"))
        late, *told = [
            broker.fill(str(order.pk), Decimal(part), HUNDRED) for part in (1, 2, 3)
        ]
        tell(*told)
        rest = {**told[1]["order"], "filled_qty": "3"}
        tell(event(told[1], "trade_bust", 1, order=rest))
        assert (cash(account)[0], reload(order).posted_quantity) == (Decimal(-200), 2)

        tell(late)

        assert (cash(account)[0], reload(order).posted_quantity) == (Decimal(-300), 3)

    def test_of_an_unknown_fill_moves_nothing(self, filled, account):
        strange = event(self.told, "trade_bust", 1, execution_id="never-heard-of")

        tell(strange)

        assert cash(account) == (Decimal(-400), Decimal(-400))
