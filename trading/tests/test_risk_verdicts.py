"""What a verdict says and keeps, and what holds for any order."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import risk
from trading.states import AfterHours, OrderClass, OrderType, Side
from trading.tests.factories import buy, sell
from trading.tests.risk_cases import (
    CLOSED,
    CLOSED_AT,
    EARLY,
    FACTS,
    FROZEN,
    QUOTE,
    using,
    with_limits,
    with_quote,
)


class TestThePriceOfAClosedMarket:
    def test_may_come_from_the_last_minutes_of_the_session(self):
        queued = replace(buy(notional="100"), after_hours=AfterHours.QUEUE_FOR_OPEN)
        edge = CLOSED_AT - timedelta(minutes=15)

        at_the_edge = replace(CLOSED, quote=replace(QUOTE, as_of=edge))
        before = replace(CLOSED, quote=replace(QUOTE, as_of=edge - timedelta(seconds=1)))
        assert risk.judge(queued, at_the_edge).is_allowed
        assert risk.judge(queued, before).rule == "price_stale"

    def test_is_as_strict_as_ever_while_nobody_knows_when_it_closed(self):
        queued = replace(buy(notional="100"), after_hours=AfterHours.QUEUE_FOR_OPEN)

        unknown = replace(CLOSED, session=risk.Session(is_open=False))
        assert risk.judge(queued, unknown).rule == "price_stale"
        assert risk.judge(queued, replace(unknown, session=None)).rule == "price_stale"

    def test_is_too_old_for_an_order_that_trades_outside_the_session_now(self):
        early = replace(EARLY, quote=CLOSED.quote)
        limit = replace(buy(quantity="1", limit_price="99"), extended_hours=True)
        queued = replace(limit, after_hours=AfterHours.QUEUE_FOR_OPEN)

        assert risk.judge(limit, EARLY).is_allowed
        assert risk.judge(limit, early).rule == "price_stale"
        assert risk.judge(queued, early).is_allowed


class TestTheVerdict:
    def test_keeps_the_exact_figures_it_decided_by(self):
        written = risk.judge(buy(quantity="0.333333333"), FACTS).as_json()

        assert written["price"] == "100.10"
        assert written["value"] == "33.366666633"
        assert written["quote_as_of"] == "2026-11-23T15:00:00+00:00"

    @pytest.mark.parametrize("facts", [FACTS, FROZEN])
    def test_keeps_what_it_weighed_and_where_each_limit_comes_from(self, facts):
        known = using(facts, day_notional=Decimal("12.5"), day_orders=3, open_orders=1)

        inputs = risk.judge(buy(notional="10"), known).as_json()["facts"]

        assert inputs["quote"] == {
            "bid": "99.90",
            "ask": "100.10",
            "last": "100",
            "previous_close": None,
            "as_of": "2026-11-23T15:00:00+00:00",
        }
        assert (inputs["spendable"], inputs["sellable"]) == ("1000", "5")
        assert inputs["used"]["day_notional"] == "12.5"
        assert (inputs["used"]["day_orders"], inputs["used"]["open_orders"]) == (3, 1)
        assert inputs["limits"]["max_notional"] == {"value": "5000", "from": "account"}
        assert inputs["session"]["is_open"] is True

    @pytest.mark.parametrize(
        ("ticket", "facts", "words"),
        [
            (buy(notional="10"), with_quote(bid=Decimal(97), ask=Decimal(101)), "4.0% apart"),
            (buy(notional="10"), with_quote(previous_close=Decimal(90)), "+11.1% since"),
            (buy(notional="501"), FACTS, "uses 50% of"),
            (buy(notional="501"), replace(FACTS, equity=Decimal(2000)), "25% of the account"),
            (buy(notional="10"), replace(FACTS, session=None), "could not be found out"),
            (
                replace(buy(notional="10"), after_hours=AfterHours.QUEUE_FOR_OPEN),
                CLOSED,
                "filled at the open",
            ),
        ],
    )
    def test_warns_in_whole_sentences(self, ticket, facts, words):
        verdict = risk.judge(ticket, facts)

        assert verdict.is_allowed
        assert any(words in sentence and sentence.endswith(".") for sentence in verdict.warnings)

    def test_has_no_warnings_for_an_everyday_order(self):
        everyday = replace(FACTS, equity=Decimal(10_000))

        assert risk.judge(buy(notional="100"), everyday).warnings == ()
        assert (
            risk.judge(buy(notional="500"), replace(everyday, equity=Decimal(2000))).warnings == ()
        )


amounts = st.decimals(min_value="0.01", max_value="20000", places=2)
quantities = st.decimals(min_value="0.000000001", max_value="200", places=9)
anything = st.one_of(st.none(), st.decimals(allow_nan=True, allow_infinity=True))


class TestAnyOrder:
    @given(notional=amounts, spendable=amounts)
    def test_that_is_allowed_costs_no_more_than_can_be_spent(self, notional, spendable):
        facts = with_limits(replace(FACTS, spendable=spendable), max_quantity=Decimal(1000))

        verdict = risk.judge(buy(notional=notional), facts)

        assert verdict.is_allowed == (1 <= notional <= min(spendable, Decimal(5000)))

    @given(quantity=quantities, sellable=quantities)
    def test_that_is_allowed_sells_no_more_than_is_held(self, quantity, sellable):
        verdict = risk.judge(sell(quantity=quantity), replace(FACTS, sellable=sellable))

        worth = quantity * Decimal("99.90")
        assert verdict.is_allowed == (quantity <= min(sellable, 50) and worth <= Decimal(5000))

    @given(
        side=st.sampled_from(Side),
        order_type=st.sampled_from(OrderType),
        order_class=st.sampled_from(OrderClass),
        figures=st.fixed_dictionaries(
            dict.fromkeys(
                (
                    "quantity",
                    "notional",
                    "limit_price",
                    "stop_price",
                    "trail_price",
                    "trail_percent",
                    "take_profit_price",
                    "stop_loss_price",
                    "stop_loss_limit_price",
                ),
                anything,
            )
        ),
    )
    def test_gets_a_verdict_and_never_an_exception(self, side, order_type, order_class, figures):
        kind = {"side": side, "order_type": order_type, "order_class": order_class}
        order = replace(buy(), **kind, **figures)

        verdict = risk.judge(order, FACTS)

        assert verdict.is_allowed or verdict.detail
        assert verdict.as_json()["rule"] == verdict.rule
