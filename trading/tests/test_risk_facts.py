"""What the rules are given to weigh: read from the tables, under the account's lock."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from core.ids import new_id
from ledger.tests.factories import hold, open_ledger, release
from trading import risk, selectors
from trading.models import KillSwitch, Order, Position
from trading.states import OrderClass, OrderType, Source, SwitchScope
from trading.tests.factories import (
    buy,
    fund,
    new_account,
    new_instrument,
    orders_of,
    pass_time,
    reload,
    role,
    sell,
    set_price,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def facts_for(account):
    new_instrument("MSFT")

    def facts_for(ticket, **how):
        at = how.pop("at", None) or datetime.now(UTC)
        view = selectors.look_at_market(symbol=ticket.symbol, at=at)
        with acting_as(SYSTEM):
            account.refresh_from_db()
            return selectors.facts_for(account, ticket, view, at=at, **how)

    return facts_for


class TestWhatCanBeSpent:
    def test_leaves_out_what_open_orders_may_cost(self, facts_for, place, broker):
        place(buy(notional="300"))
        place(buy(quantity="2", limit_price="90"))

        assert facts_for(buy(notional="1")).spendable == Decimal(520)

    def test_leaves_out_what_a_withdrawal_holds(self, facts_for, account):
        open_ledger(account, "1000.00")
        hold(account, new_id(), "400.00")

        assert facts_for(buy(notional="1")).spendable == Decimal(600)
        assert facts_for(sell(quantity="1")).spendable == Decimal(1000)

    def test_is_not_less_for_a_ledger_that_does_not_know_all(self, facts_for, account):
        hold(account, new_id(), "400.00")

        assert facts_for(buy(notional="1")).spendable == Decimal(1000)

    def test_is_not_known_before_the_broker_was_read(self, apple, broker):
        account, at = new_account("carol-sub"), datetime.now(UTC)
        view = selectors.look_at_market(symbol="AAPL", at=at)
        with acting_as(SYSTEM):
            facts = selectors.facts_for(account, buy(notional="1"), view, at=at)

        assert (facts.spendable, facts.sellable, facts.equity) == (None, None, None)

    def test_an_order_and_a_withdrawal_do_not_spend_the_same_dollars(self, account, place, broker):
        open_ledger(account, "1000.00")
        hold(account, new_id(), "900.00")

        with pytest.raises(risk.RiskRefused) as refusal:
            place(buy(notional="100.01"))
        assert refusal.value.extra["rule"] == "insufficient_buying_power"

        assert place(buy(notional="100.00")).is_accepted


class TestWhatIsReleased:
    def test_counts_nowhere(self, facts_for, place, broker):
        order = place(buy(quantity="2", limit_price="90"))

        facts = facts_for(buy(quantity="3", limit_price="90"), released=order)

        assert facts.spendable == Decimal(1000)
        assert facts.used == risk.Used()
        assert facts.replaced == order.ticket

    def test_has_traded_today_what_it_has(self, facts_for, place, broker):
        order = place(buy(quantity="3", limit_price="90"))
        traded = {"filled_quantity": 2, "booked_quantity": 2, "average_price": 89}
        with acting_as(SYSTEM):
            Order.objects.filter(pk=order.pk).update(**traded)

        used = facts_for(buy(quantity="1", limit_price="90"), released=reload(order)).used

        assert used == risk.Used(day_notional=Decimal(178))
        with acting_as(SYSTEM):  # no event has told of the fills, as the checks would notice
            Order.objects.filter(pk=order.pk).update(filled_quantity=0, booked_quantity=0)

    def test_frees_what_the_broker_counts_as_spent(self, facts_for, account, place, broker):
        order = place(buy(quantity="2", limit_price="90"))
        with acting_as(SYSTEM):
            Order.objects.update(reserved_cash=0)
        fund(account, cash="820.00")
        order = reload(order)

        assert facts_for(buy(quantity="3", limit_price="90"), released=order).spendable == 1000

    def test_frees_the_shares_of_a_sale(self, facts_for, account, place, broker):
        fund(account, positions={"AAPL": "5"})
        order = place(sell(quantity="4", limit_price="101"))

        assert facts_for(sell(quantity="5")).sellable == 1
        assert facts_for(sell(quantity="5"), released=order).sellable == 5


class TestWhatIsUnderWay:
    def test_counts_the_orders_of_today_but_not_the_refused(self, facts_for, place, broker):
        place(buy(notional="300"))
        done = place(buy(quantity="1", limit_price="90"))
        broker.move(str(done.pk), "canceled")
        with acting_as(SYSTEM):
            Order.objects.filter(pk=done.pk).update(vendor_status="canceled")
        release(done.pk)
        with pytest.raises(risk.RiskRefused):
            place(buy(notional="5000"))

        used = facts_for(buy(notional="1")).used

        assert (used.open_orders, used.day_orders, used.twins) == (1, 2, 0)
        assert (used.day_notional, used.opening_value) == (Decimal(300), Decimal(300))

    def test_counts_what_was_filled_of_those_that_are_over(self, facts_for, place, broker):
        order = place(buy(quantity="3", limit_price="90"))
        with acting_as(SYSTEM):
            Order.objects.filter(pk=order.pk).update(
                vendor_status="canceled",
                filled_quantity=1,
                booked_quantity=1,
                posted_quantity=0,
                average_price=89,
            )

        used = facts_for(buy(notional="1")).used

        assert (used.day_notional, used.open_orders, used.opening_value) == (89, 0, 0)
        with acting_as(SYSTEM):  # no event has told of the fill, as the checks would notice
            Order.objects.filter(pk=order.pk).update(filled_quantity=0)
        release(order.pk)

    def test_a_new_day_begins_at_midnight_in_new_york(self, facts_for, place, broker):
        place(buy(notional="300"))

        tomorrow = datetime.now(UTC) + timedelta(days=1)
        used = facts_for(buy(notional="1"), at=tomorrow).used

        assert (used.day_orders, used.day_notional) == (0, 0)
        assert used.open_orders == 1

    def test_exits_of_a_bracket_are_no_orders_of_their_own(self, facts_for, place, broker):
        order = place(buy(notional="300"))
        with acting_as(SYSTEM):
            Order.objects.filter(pk=order.pk).update(source=Source.BROKER)

        used = facts_for(buy(notional="1")).used

        assert (used.open_orders, used.day_orders) == (0, 0)

    @pytest.mark.parametrize(
        ("ticket", "twins"),
        [
            (buy(notional="30"), 1),
            (buy(notional="31"), 0),
            (sell(notional="30"), 0),
            (buy("MSFT", notional="30"), 0),
            (buy(quantity="1", limit_price="30"), 0),
        ],
    )
    def test_a_twin_has_the_same_content(self, facts_for, place, broker, ticket, twins):
        place(buy(notional="30"))

        assert facts_for(ticket, minds_twins=True).used.twins == twins
        assert facts_for(ticket).used.twins == 0

    def test_a_twin_came_within_a_minute_and_may_have_an_effect(self, facts_for, place, broker):
        with pytest.raises(risk.RiskRefused):
            place(buy(notional="5000"))
        place(buy(notional="30"))

        assert facts_for(buy(notional="5000"), minds_twins=True).used.twins == 0
        pass_time(61)
        assert facts_for(buy(notional="30"), minds_twins=True).used.twins == 0

    def test_orders_of_the_other_side_are_listed(self, facts_for, account, place, broker):
        fund(account, positions={"AAPL": "5"})
        resting = place(sell(quantity="1", limit_price="105"))

        (rival,) = facts_for(buy(notional="1")).rivals

        assert rival == risk.Rival(
            order_id=str(resting.pk),
            order_type=OrderType.LIMIT,
            order_class=OrderClass.SIMPLE,
            limit_price=Decimal(105),
        )
        assert facts_for(sell(quantity="1")).rivals == []
        assert facts_for(buy("MSFT", notional="1")).rivals == []


class TestWhatElseIsWeighed:
    def test_other_positions_are_worth_their_last_close(self, facts_for, account):
        fund(account, positions={"AAPL": "2", "MSFT": "3", "KO": "4"})
        with acting_as(SYSTEM):
            Position.objects.filter(symbol="MSFT").update(previous_close=Decimal(100))

        facts = facts_for(buy(notional="1"))

        # Cash, three shares at their close, four at what they have cost.
        assert (facts.equity, facts.position) == (Decimal(1000 + 300 + 360), Decimal(2))

    @pytest.mark.parametrize(
        ("scope", "target"),
        [
            (SwitchScope.GLOBAL, ""),
            (SwitchScope.PRINCIPAL, "alice-sub"),
            (SwitchScope.PRINCIPAL, "the-key"),
            (SwitchScope.ACCOUNT, None),
        ],
    )
    def test_a_kill_switch_that_stands(self, facts_for, account, scope, target):
        target = str(account.pk) if target is None else target
        KillSwitch.objects.create(scope=scope, target=target, reason="A drill.", ordered_by="x")

        facts = facts_for(buy(notional="1"), placed_by="the-key")

        assert facts.halt_reason == "A drill."
        assert risk.judge(buy(notional="1"), facts).rule == "trading_halted"

    def test_an_account_that_is_being_closed(self, facts_for, account):
        account.closing_since = datetime.now(UTC)
        with acting_as(SYSTEM):
            account.save(update_fields=["closing_since"])

        facts = facts_for(sell(quantity="1"))
        closing = facts_for(sell(quantity="1"), source=Source.CLOSURE)

        assert risk.judge(sell(quantity="1"), facts).rule == "account_closing"
        assert risk.judge(sell(quantity="1"), closing).rule == "insufficient_quantity"

    def test_a_halt_of_the_symbol(self, facts_for, apple):
        apple.halted_at = datetime.now(UTC)
        apple.save(update_fields=["halted_at"])

        assert risk.judge(buy(notional="1"), facts_for(buy(notional="1"))).rule == "symbol_halted"

    @pytest.mark.parametrize(("seconds", "is_over"), [(-1, False), (4, False), (6, True)])
    def test_a_trade_since_then_says_that_a_halt_is_over(self, facts_for, apple, seconds, is_over):
        traded_at = datetime.now(UTC) - timedelta(seconds=1)
        apple.halted_at = traded_at - timedelta(seconds=seconds)
        apple.save(update_fields=["halted_at"])
        set_price(apple, "100.00", at=traded_at)

        assert facts_for(buy(notional="1")).instrument.is_halted is not is_over

    def test_a_halt_of_which_nobody_has_told_the_end(self, facts_for, apple):
        apple.halted_at = datetime.now(UTC) - timedelta(hours=24)
        apple.save(update_fields=["halted_at"])

        assert risk.judge(buy(notional="1"), facts_for(buy(notional="1"))).is_allowed

    def test_a_price_with_more_places_than_ours_is_cut(self, facts_for, apple):
        told = selectors.market.quote_of(
            selectors.market.market.Quote(
                symbol="AAPL",
                bid=Decimal("1.00000000049"),
                ask=None,
                last=Decimal("1.12345678951"),
                previous_close=None,
                as_of=datetime.now(UTC),
            )
        )

        assert (told.bid, told.ask, told.last) == (Decimal(1), Decimal(0), Decimal("1.123456790"))


class TestReading:
    def test_takes_few_statements_however_much_there_is(
        self, facts_for, account, place, broker, django_assert_max_num_queries
    ):
        fund(account, cash="9000.00", positions={"AAPL": "5", "MSFT": "5"})
        for dollars in range(10, 16):
            place(buy(notional=f"{dollars}"))
        at = datetime.now(UTC)
        view = selectors.look_at_market(symbol="AAPL", at=at)

        for ticket, most in ((buy(notional="1"), 4), (sell(quantity="1"), 3)):
            with acting_as(SYSTEM), django_assert_max_num_queries(most):
                selectors.facts_for(account, ticket, view, at=at)

    def test_is_what_the_agents_role_may_do(self, facts_for, account, place, broker):
        open_ledger(account, "1000.00")
        place(buy(notional="300"))
        with role("clera_agents"):
            facts = facts_for(buy(notional="1"))

        assert facts.spendable == Decimal(700)

    def test_is_kept_with_the_order(self, account, place, broker):
        order = place(buy(notional="300"))

        kept = orders_of(account)[0].verdict

        assert kept["facts"]["spendable"] == "1000.00"
        assert kept["facts"]["limits"]["max_notional"]["from"] == "settings"
        assert kept["facts"]["quote"]["last"] == "100"
        assert order.value == Decimal(300)


class TestTheDuplicateRule:
    def test_minds_the_same_order_of_another_credential(self, account, facts_for, place, broker):
        place(buy(notional="30"))

        verdict = risk.judge(buy(notional="30"), facts_for(buy(notional="30"), minds_twins=True))

        assert verdict.rule == "duplicate_order"


def test_the_last_price_is_what_a_sale_is_valued_at(facts_for, apple):
    set_price(apple, "50.00")

    assert risk.judge(sell(quantity="1"), facts_for(sell(quantity="1"))).price == Decimal(50)
