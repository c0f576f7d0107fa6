"""Replacing an order: one effect, nothing held twice, and the old one safe until it is done."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from core.auth import SYSTEM, acting_as
from core.errors import (
    Invalid,
    NotFound,
    VendorRejected,
    VendorUnavailable,
    VendorUnclear,
)
from trading import risk, services
from trading.models import Lot, Order
from trading.states import OrderType, TimeInForce
from trading.tests import factories
from trading.tests.factories import bracket, buy, customer, orders_of, pass_time, reload, sell
from trading.tests.telling import held, tell
from trading.tests.test_cancels import sweep
from trading.tickets import Changes, LotChoice

pytestmark = pytest.mark.django_db
UNCLEAR = VendorUnclear("fake", "no answer")
AWAY = VendorUnavailable("fake", "refused")
NO = VendorRejected("fake", "order is filled", vendor_code="42210000", http_status=422)


def now():
    return datetime.now(UTC)


def replace(account, order, *, user_id="alice-sub", **changes):
    return services.replace_order(
        principal=customer(user_id),
        account_id=account.pk,
        order_id=order.pk,
        changes=Changes(**{name: Decimal(value) for name, value in changes.items()}),
        request=None,
        at=now(),
    )


@pytest.fixture
def resting_order(place, broker):
    """An order for two shares at $99 that the broker works on."""
    order = place(buy(quantity="2", limit_price="99"))
    tell(broker.move(str(order.pk), "new"))
    return reload(order)


class TestReplaceOrder:
    def test_is_a_new_order_in_the_place_of_the_old_one(self, broker, account, resting_order):
        new = replace(account, resting_order, limit_price="98")

        assert broker.replaced == [
            (resting_order.broker_order_id, Changes(limit_price=Decimal(98)))
        ]
        assert (new.state, new.replaces_id) == ("ACCEPTED", resting_order.pk)
        assert (new.quantity, new.limit_price) == (Decimal(2), Decimal(98))
        assert reload(resting_order).vendor_status == "pending_replace"

    def test_reserves_only_what_it_adds_until_the_old_one_ends(
        self, broker, account, resting_order
    ):
        assert held(resting_order) == Decimal(198)

        new = replace(account, resting_order, quantity="3")
        assert (held(resting_order), held(new)) == (Decimal(198), Decimal(99))

        tell(broker.tell(str(resting_order.pk), "replaced"))
        old, new = reload(resting_order), reload(new)
        assert (old.vendor_status, held(old), held(new)) == ("replaced", 0, Decimal(297))
        assert (old.reserved_cash, new.reserved_cash) == (0, Decimal(297))

    def test_holds_less_when_it_needs_less(self, broker, account, resting_order):
        new = replace(account, resting_order, limit_price="98")
        assert held(new) == 0

        tell(broker.tell(str(resting_order.pk), "replaced"))
        assert (held(resting_order), held(new)) == (0, Decimal(196))

        tell(broker.move(str(new.pk), "canceled"))
        assert (held(new), reload(new).reserved_cash) == (0, 0)

    def test_counts_what_the_old_one_has_filled(self, broker, account, resting_order):
        tell(broker.fill(str(resting_order.pk), Decimal(1), Decimal(99)))

        new = replace(account, resting_order, quantity="3")

        assert broker.replaced[0][1].quantity == Decimal(3)
        assert (new.quantity, held(new)) == (Decimal(2), Decimal(99))
        tell(broker.tell(str(resting_order.pk), "replaced"))
        assert (held(resting_order), held(new)) == (0, Decimal(198))

    def test_is_as_large_as_the_broker_makes_it(self, broker, account, resting_order):
        broker.fill(str(resting_order.pk), Decimal(1), Decimal(99))  # nobody has told us yet

        new = replace(account, resting_order, quantity="3")

        assert new.quantity == Decimal(2)

    def test_is_judged_as_if_the_old_one_were_gone(self, place, broker, account):
        order = place(buy(quantity="9", limit_price="100"))  # $900 of $1,000
        tell(broker.move(str(order.pk), "new"))

        assert replace(account, order, quantity="10").state == "ACCEPTED"

    def test_that_costs_too_much_is_refused_and_the_old_one_stays(self, broker, account, place):
        order = place(buy(quantity="9", limit_price="100"))
        tell(broker.move(str(order.pk), "new"))

        with pytest.raises(risk.RiskRefused):
            replace(account, order, quantity="11")
        assert (broker.replaced, reload(order).vendor_status) == ([], "new")
        assert held(order) == Decimal(900)

    def test_takes_over_the_exits_of_an_entry(self, place, broker, account):
        entry = place(bracket("2", limit_price="99"))
        tell(broker.move(str(entry.pk), "new"))

        new = replace(account, entry, limit_price="98")
        tell(broker.tell(str(entry.pk), "replaced"))

        working = [order for order in orders_of(account) if order.is_working]
        assert {order.parent_id for order in working if order.source == "BROKER"} == {new.pk}

    def test_of_a_sale_reserves_what_it_adds(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "5"})
        order = place(sell(quantity="3", limit_price="101"))
        tell(broker.move(str(order.pk), "new"))

        new = replace(account, order, quantity="5")
        assert (reload(order).reserved_quantity, new.reserved_quantity) == (3, 2)
        tell(broker.tell(str(order.pk), "replaced"))
        assert (reload(order).reserved_quantity, reload(new).reserved_quantity) == (0, 5)

    def test_changes_a_trail(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "5"})
        trailing = sell(quantity="1", trail_percent="2.5", order_type=OrderType.TRAILING_STOP)
        order = place(trailing)
        tell(broker.move(str(order.pk), "new"))

        new = replace(account, order, trail="3")

        assert broker.replaced[0][1] == Changes(trail=Decimal(3))
        assert new.trail_percent == Decimal(3)

    def test_changes_how_long_it_works(self, broker, account, resting_order):
        new = services.replace_order(
            principal=customer(),
            account_id=account.pk,
            order_id=resting_order.public_id,
            changes=Changes(time_in_force=TimeInForce.GTC),
            request=None,
            at=now(),
        )

        assert new.time_in_force == "GTC"


class TestWhatIsNotReplaced:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"quantity": "2.5"},
            {"trail": "1"},
            {"stop_price": "90"},
            {"quantity": "2"},
            {"quantity": "2", "limit_price": "99.00"},
        ],
        ids=str,
    )
    def test_nonsense_is_named_and_changes_nothing(self, broker, account, resting_order, changes):
        with pytest.raises(Invalid):
            replace(account, resting_order, **changes)
        assert (broker.replaced, len(orders_of(account))) == ([], 1)

    def test_less_than_what_is_filled(self, broker, account, resting_order):
        tell(broker.fill(str(resting_order.pk), Decimal(1), Decimal(99)))

        with pytest.raises(Invalid):
            replace(account, resting_order, quantity="1")

    def test_another_size_of_a_sale_that_names_its_lots(self, place, broker, account):
        factories.fund(account)
        tell(broker.fill(str(place(buy(quantity="4")).pk), Decimal(4), Decimal(100)))
        with acting_as(SYSTEM):
            lot = Lot.objects.get(account_id=account.pk)
        chosen = (LotChoice(lot_id=lot.pk, quantity=Decimal(2)),)
        order = place(sell(quantity="2", limit_price="110", lots=chosen))
        tell(broker.move(str(order.pk), "new"))

        with pytest.raises(Invalid) as refused:
            replace(account, order, quantity="3")

        assert list(refused.value.field_errors) == ["units"]
        assert replace(account, order, limit_price="111").lot_choices == order.lot_choices

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"quantity": Decimal(3)}, "units"),
            ({"time_in_force": TimeInForce.DAY}, "time_in_force"),
        ],
        ids=str,
    )
    def test_more_than_a_price_of_an_order_with_exits(self, place, broker, account, changes, field):
        entry = place(bracket("2", limit_price="99"))
        tell(broker.move(str(entry.pk), "new"))

        with pytest.raises(Invalid) as refused:
            services.replace_order(
                principal=customer(),
                account_id=account.pk,
                order_id=entry.pk,
                changes=Changes(**changes),
                request=None,
                at=now(),
            )

        assert (list(refused.value.field_errors), broker.replaced) == ([field], [])

    def test_an_order_of_a_closure_is_the_customers_from_then_on(self, place, broker, account):
        wanted = buy(quantity="1", limit_price="99")
        order = factories.working_order(account, broker, wanted, source="CLOSURE")
        tell(broker.move(str(order.pk), "new"))

        assert replace(account, order, limit_price="98").source == "CUSTOMER"

    def test_an_order_for_dollars(self, place, broker, account):
        order = place(buy(notional="10"))
        tell(broker.move(str(order.pk), "new"))

        with pytest.raises(services.NotReplaceable):
            replace(account, order, limit_price="98")

    def test_one_that_is_over(self, broker, account, resting_order):
        tell(broker.move(str(resting_order.pk), "canceled"))

        with pytest.raises(services.OrderNotOpen):
            replace(account, resting_order, limit_price="98")

    def test_one_that_is_only_being_placed(self, place, broker, account):
        order = place(buy(quantity="1", limit_price="99"))

        with pytest.raises(services.NotReplaceableNow):
            replace(account, order, limit_price="98")

    def test_one_that_is_undecided(self, place, broker, account):
        broker.plan(UNCLEAR, is_done=True)
        order = place(buy(quantity="1", limit_price="99"))

        with pytest.raises(services.OrderUndecided):
            replace(account, order, limit_price="98")

    def test_one_that_is_to_be_canceled(self, broker, account, resting_order):
        services.cancel_order(
            principal=customer(), account_id=account.pk, order_id=resting_order.pk, at=now()
        )

        with pytest.raises(services.NotReplaceableNow):
            replace(account, resting_order, limit_price="98")

    def test_one_that_is_being_replaced(self, broker, account, resting_order):
        replace(account, resting_order, limit_price="98")

        with pytest.raises(services.NotReplaceableNow):
            replace(account, resting_order, limit_price="97")
        assert len(broker.replaced) == 1

    def test_anothers_order_does_not_exist(self, broker, account, resting_order):
        with pytest.raises(NotFound):
            replace(account, resting_order, user_id="bob-sub", limit_price="98")

    def test_a_second_one_cannot_even_be_written(self, broker, account, resting_order):
        new = replace(account, resting_order, limit_price="98")
        with acting_as(SYSTEM):
            twin = Order.objects.get(pk=new.pk)
        twin.pk, twin.broker_order_id = uuid4(), "another"
        with pytest.raises(IntegrityError), transaction.atomic(), acting_as(SYSTEM):
            twin.save(force_insert=True)


class TestAnUnsureBroker:
    def test_a_clear_no_leaves_the_old_one_at_work(self, broker, account, resting_order):
        broker.plan(NO)

        with pytest.raises(services.OrderRejected):
            replace(account, resting_order, quantity="3")

        old, new = orders_of(account)
        assert (old.vendor_status, new.state, new.reason) == ("new", "REJECTED", "order is filled")
        assert (held(old), held(new), new.reserved_cash) == (Decimal(198), 0, 0)
        assert replace(account, resting_order, limit_price="98").state == "ACCEPTED"

    def test_a_lost_answer_is_found_by_the_new_id(self, broker, account, resting_order):
        broker.plan(UNCLEAR, is_done=True)

        new = replace(account, resting_order, limit_price="98")
        assert new.state == "UNKNOWN"
        sweep()

        assert reload(new).state == "ACCEPTED"
        assert len(broker.replaced) == 1

    def test_what_never_arrived_is_sent_again_under_the_same_id(
        self, broker, account, resting_order, settings
    ):
        settings.INTENT_LOOK_SECONDS = 0
        broker.plan(UNCLEAR)

        new = replace(account, resting_order, limit_price="98")
        sweep(2)

        assert (reload(new).state, reload(new).attempts) == ("ACCEPTED", 2)
        assert len(broker.replaced) == 2
        assert [o.replaces for o in broker.orders.values()] == ["", resting_order.broker_order_id]

    def test_a_no_to_the_second_try_is_not_believed_when_the_first_was_done(
        self, broker, account, resting_order, settings
    ):
        settings.INTENT_LOOK_SECONDS = 0
        broker.plan(UNCLEAR, is_done=True)
        new = replace(account, resting_order, limit_price="98")
        find, broker.find = broker.find, lambda **_: None  # it forgets for a while

        sweep(2)
        assert reload(new).state == "UNKNOWN"
        broker.find = find
        sweep()

        assert reload(new).state == "ACCEPTED"
        assert len(broker.orders) == 2

    def test_a_broker_that_is_away_gets_it_later(self, broker, account, resting_order):
        broker.plan(AWAY)

        new = replace(account, resting_order, limit_price="98")
        assert new.state == "PENDING"
        pass_time(10)
        sweep()

        assert reload(new).state == "ACCEPTED"

    def test_the_wish_to_cancel_goes_over_to_the_new_order(
        self, broker, account, resting_order, settings
    ):
        broker.plan(UNCLEAR, is_done=True)
        new = replace(account, resting_order, limit_price="98")
        wanted = services.cancel_order(
            principal=customer(), account_id=account.pk, order_id=resting_order.pk, at=now()
        )

        assert wanted.pk == new.pk
        tell(broker.tell(str(resting_order.pk), "replaced"))
        sweep(2)

        assert reload(new).cancel_asked_at is not None
        assert broker.canceled == [reload(new).broker_order_id]

    def test_the_wish_to_cancel_does_not_wait_for_the_fills_of_the_old_order(
        self, broker, account, resting_order
    ):
        untold = broker.fill(str(resting_order.pk), Decimal(1), Decimal(99))
        new = replace(account, resting_order, limit_price="98")
        services.cancel_order(
            principal=customer(), account_id=account.pk, order_id=resting_order.pk, at=now()
        )

        tell(broker.tell(str(resting_order.pk), "replaced"))
        assert (reload(resting_order).is_posted, held(resting_order)) == (False, Decimal(198))
        assert reload(new).cancel_asked_at is not None

        tell(untold)
        assert (held(resting_order), held(new)) == (0, Decimal(98))

    def test_who_cancels_what_was_replaced_hears_what_works_in_its_place(
        self, broker, account, resting_order
    ):
        new = replace(account, resting_order, limit_price="98")
        tell(broker.tell(str(resting_order.pk), "replaced"))

        with pytest.raises(services.OrderNotOpen) as refused:
            services.cancel_order(
                principal=customer(), account_id=account.pk, order_id=resting_order.pk, at=now()
            )

        assert refused.value.extra == {"replaced_by": new.public_id}
