"""The rules as a table, and what holds for any order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import risk
from trading.states import Side, TimeInForce
from trading.tests.factories import buy, sell

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
QUOTE = risk.MarketQuote(bid=Decimal("99.90"), ask=Decimal("100.10"), last=Decimal(100), as_of=AT)
FACTS = risk.Facts(
    account_status="ACTIVE",
    is_account_active=True,
    is_account_frozen=False,
    instrument=risk.Traits(is_tradable=True, is_fractionable=True),
    quote=QUOTE,
    spendable=Decimal(1000),
    sellable=Decimal(5),
    limits=risk.Limits(max_notional=Decimal(5000), quote_seconds=5, collar=Decimal("0.1")),
    at=AT,
)
FROZEN = replace(FACTS, is_account_active=False, is_account_frozen=True)
WHOLE_ONLY = replace(FACTS, instrument=risk.Traits(is_tradable=True, is_fractionable=False))
HALTED = replace(FACTS, instrument=risk.Traits(is_tradable=False, is_fractionable=True))
RICH = replace(FACTS, spendable=Decimal(1_000_000))


def with_quote(**changes):
    return replace(FACTS, quote=replace(QUOTE, **changes))


REFUSED = [
    (buy(notional="100"), replace(FACTS, is_account_active=False), "account_not_active"),
    (buy(notional="100"), FROZEN, "account_frozen"),
    (buy(notional="100"), replace(FACTS, instrument=None), "symbol_unknown"),
    (buy(notional="100"), HALTED, "symbol_not_tradable"),
    (buy(), FACTS, "size_ambiguous"),
    (buy(notional="100", quantity="1"), FACTS, "size_ambiguous"),
    (buy(quantity="0"), FACTS, "size_not_positive"),
    (buy(quantity="-1"), FACTS, "size_not_positive"),
    (buy(notional="NaN"), FACTS, "size_not_positive"),
    (buy(quantity="Infinity"), FACTS, "size_not_positive"),
    (buy(quantity="1E+400"), FACTS, "size_absurd"),
    (buy(notional="10.001"), FACTS, "too_many_decimals"),
    (buy(quantity="0.0000000001"), FACTS, "too_many_decimals"),
    (buy(quantity="1.5"), WHOLE_ONLY, "not_fractionable"),
    (buy(notional="100"), WHOLE_ONLY, "not_fractionable"),
    (buy(quantity="1.5", time_in_force=TimeInForce.GTC), FACTS, "fraction_needs_day"),
    (buy(notional="100", time_in_force=TimeInForce.GTC), FACTS, "fraction_needs_day"),
    (buy(quantity="1", limit_price="100.001"), FACTS, "sub_penny"),
    (buy(quantity="1", limit_price="0.00001"), FACTS, "sub_penny"),
    (buy(notional="100"), replace(FACTS, quote=None), "price_stale"),
    (buy(notional="100"), with_quote(as_of=AT - timedelta(seconds=5.001)), "price_stale"),
    (buy(quantity="1", limit_price="110.12"), FACTS, "price_collar"),
    (sell(quantity="1", limit_price="89.90"), FACTS, "price_collar"),
    (buy(notional="0.99"), FACTS, "below_minimum"),
    (buy(quantity="0.009"), FACTS, "below_minimum"),
    (buy(notional="5000.01"), RICH, "above_maximum"),
    (buy(notional="1000.01"), FACTS, "insufficient_buying_power"),
    (buy(quantity="10"), FACTS, "insufficient_buying_power"),
    (sell(quantity="5.000000001"), FACTS, "insufficient_quantity"),
    (sell(notional="499.51"), FACTS, "insufficient_quantity"),
]
ALLOWED = [
    (buy(notional="1"), FACTS, "1"),
    (buy(notional="1000"), FACTS, "1000"),
    (buy(quantity="9"), FACTS, "900.90"),
    (buy(quantity="9.99"), with_quote(ask=Decimal(0)), "999"),
    (buy(quantity="1", limit_price="110.11"), FACTS, "110.11"),
    (buy(quantity="2", limit_price="0.5001"), with_quote(ask=Decimal("0.50")), "1.0002"),
    (buy(notional="100"), with_quote(as_of=AT - timedelta(seconds=5)), "100"),
    (sell(quantity="5"), FACTS, "499.50"),
    (sell(quantity="0.000000001"), FACTS, "0.000000100"),
    (sell(notional="499.50"), FACTS, "499.50"),
    (sell(quantity="2", limit_price="150"), FACTS, "300"),
    (buy(quantity="2"), WHOLE_ONLY, "200.20"),
    (buy(quantity="2", time_in_force=TimeInForce.GTC), FACTS, "200.20"),
    (buy(notional="2000"), replace(FACTS, spendable=None), "2000"),
]


@pytest.mark.parametrize(("ticket", "facts", "rule"), REFUSED)
def test_refuses_by_the_rule(ticket, facts, rule):
    verdict = risk.judge(ticket, facts)

    assert (verdict.is_allowed, verdict.rule) == (False, rule)
    assert verdict.field
    assert verdict.detail


@pytest.mark.parametrize(("ticket", "facts", "value"), ALLOWED)
def test_allows_and_values_it(ticket, facts, value):
    verdict = risk.judge(ticket, facts)

    assert (verdict.rule, verdict.is_allowed, verdict.value) == ("", True, Decimal(value))


def test_names_the_field_of_the_request():
    assert risk.judge(buy(notional="0.5"), FACTS).field == "notional_amount"
    assert risk.judge(buy(quantity="0.001"), FACTS).field == "units"
    assert risk.judge(buy(notional="5"), HALTED).field == "ticker"


def test_keeps_the_exact_figures_it_decided_by():
    written = risk.judge(buy(quantity="0.333333333"), FACTS).as_json()

    assert written["price"] == "100.10"
    assert written["value"] == "33.366666633"
    assert written["quote_as_of"] == "2026-11-23T15:00:00+00:00"


amounts = st.decimals(min_value="0.01", max_value="20000", places=2)
quantities = st.decimals(min_value="0.000000001", max_value="200", places=9)


class TestAnyOrder:
    @given(notional=amounts, spendable=amounts)
    def test_that_is_allowed_costs_no_more_than_can_be_spent(self, notional, spendable):
        verdict = risk.judge(buy(notional=notional), replace(FACTS, spendable=spendable))

        assert verdict.is_allowed == (1 <= notional <= min(spendable, Decimal(5000)))

    @given(quantity=quantities, sellable=quantities)
    def test_that_is_allowed_sells_no_more_than_is_held(self, quantity, sellable):
        verdict = risk.judge(sell(quantity=quantity), replace(FACTS, sellable=sellable))

        worth = quantity * Decimal("99.90")
        assert verdict.is_allowed == (quantity <= sellable and worth <= Decimal(5000))

    @given(
        side=st.sampled_from(Side),
        quantity=st.one_of(st.none(), st.decimals(allow_nan=True, allow_infinity=True)),
        notional=st.one_of(st.none(), st.decimals(allow_nan=True, allow_infinity=True)),
    )
    def test_gets_a_verdict_and_never_an_exception(self, side, quantity, notional):
        order = replace(buy(), side=side, quantity=quantity, notional=notional)

        verdict = risk.judge(order, FACTS)

        assert verdict.is_allowed or verdict.detail
