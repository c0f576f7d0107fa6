"""The rules as a table, with both sides of each edge."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from trading import risk
from trading.states import AfterHours, OrderClass, OrderType, Side, TimeInForce
from trading.tests.factories import buy, sell
from trading.tests.risk_cases import (
    AT,
    CLOSED,
    CLOSURE,
    COIN,
    CONTRACT,
    EARLY,
    FACTS,
    FROZEN,
    GTC,
    HALTED,
    HEAVY,
    IOC,
    OLD,
    OPG,
    QUOTE,
    RICH,
    UNTRADABLE,
    WHOLE_ONLY,
    bracket,
    exits,
    lots,
    meeting,
    oco,
    oto,
    stop,
    trailing,
    using,
    with_limits,
    with_quote,
)

REFUSED_FORM = [
    (buy("aapl", notional="5"), FACTS, "symbol_malformed"),
    (buy("BRK.B.C", notional="5"), FACTS, "symbol_malformed"),
    (buy("ÄPL", notional="5"), FACTS, "symbol_malformed"),
    (buy("A" * 25, notional="5"), FACTS, "symbol_malformed"),
    (buy(), FACTS, "size_ambiguous"),
    (buy(notional="100", quantity="1"), FACTS, "size_ambiguous"),
    (buy(quantity="0"), FACTS, "size_not_positive"),
    (buy(quantity="-1"), FACTS, "size_not_positive"),
    (buy(notional="NaN"), FACTS, "size_not_positive"),
    (buy(quantity="Infinity"), FACTS, "size_not_positive"),
    (buy(quantity="1E+400"), FACTS, "size_absurd"),
    (buy(notional="10.001"), FACTS, "too_many_decimals"),
    (buy(quantity="0.0000000001"), FACTS, "too_many_decimals"),
    (replace(buy(quantity="1", limit_price="1"), limit_price=None), FACTS, "limit_price_missing"),
    (replace(buy(quantity="1"), limit_price=Decimal(1)), FACTS, "limit_price_unwanted"),
    (buy(quantity="1", limit_price="NaN"), FACTS, "limit_price_not_positive"),
    (buy(quantity="1", limit_price="1E+12"), FACTS, "limit_price_not_positive"),
    (replace(stop(buy, at="101"), stop_price=None), FACTS, "stop_price_missing"),
    (stop(buy, at="-1"), FACTS, "stop_price_not_positive"),
    (replace(stop(buy, at="1", limit="1"), limit_price=None), FACTS, "limit_price_missing"),
    (replace(buy(quantity="1"), stop_price=Decimal(1)), FACTS, "stop_price_unwanted"),
    (trailing(sell), FACTS, "trail_ambiguous"),
    (trailing(sell, trail_price="1", trail_percent="1"), FACTS, "trail_ambiguous"),
    (trailing(sell, trail_percent="100"), FACTS, "trail_percent_not_positive"),
    (trailing(sell, trail_percent="0"), FACTS, "trail_percent_not_positive"),
    (trailing(sell, trail_percent="1.00001"), FACTS, "too_many_decimals"),
    (trailing(sell, trail_price="-1"), FACTS, "trail_price_not_positive"),
    (replace(buy(quantity="1"), trail_price=Decimal(1)), FACTS, "trail_price_unwanted"),
    (replace(buy(quantity="1"), trail_percent=Decimal(1)), FACTS, "trail_percent_unwanted"),
    (bracket(profit=None), FACTS, "take_profit_price_missing"),
    (bracket(loss=None), FACTS, "stop_loss_price_missing"),
    (bracket(loss=None, loss_limit="80"), FACTS, "stop_loss_price_missing"),
    (oto(), FACTS, "exits_ambiguous"),
    (oto(profit="120", loss="90"), FACTS, "exits_ambiguous"),
    (oco(order_type=OrderType.MARKET), FACTS, "oco_needs_limit"),
    (oco(limit_price=Decimal(120)), FACTS, "limit_price_unwanted"),
    (oco(loss=None), FACTS, "stop_loss_price_missing"),
    (
        exits(buy(quantity="1"), OrderClass.SIMPLE, "120", None),
        FACTS,
        "take_profit_price_unwanted",
    ),
    (exits(buy(quantity="1"), OrderClass.SIMPLE, None, "90"), FACTS, "stop_loss_price_unwanted"),
    (lots(buy(quantity="1"), "1"), FACTS, "lots_unwanted"),
    (lots(sell(quantity="2"), "1", "0.5"), FACTS, "lots_not_the_size"),
    (lots(sell(quantity="2"), "1", "1", same=True), FACTS, "lots_not_the_size"),
    (lots(sell(quantity="2"), "3", "-1"), FACTS, "lots_not_positive"),
]
REFUSED_PLACE = [
    (buy(notional="100"), replace(FACTS, is_account_active=False), "account_not_active"),
    (buy(notional="100"), FROZEN, "account_frozen"),
    (buy(notional="100"), replace(FACTS, is_account_closing=True), "account_closing"),
    (buy(notional="100"), replace(FACTS, halt_reason="A drill."), "trading_halted"),
    (sell(quantity="1"), replace(FACTS, halt_reason="A drill.", **CLOSURE), "trading_halted"),
    (buy(notional="100"), replace(FACTS, instrument=None), "symbol_unknown"),
    (buy(notional="100"), COIN, "coins_not_traded"),
    (sell(quantity="1"), replace(COIN, **CLOSURE), "coins_not_traded"),
    (buy(quantity="1"), CONTRACT, "contracts_not_traded"),
    (sell(quantity="1"), replace(CONTRACT, **CLOSURE), "contracts_not_traded"),
    (buy(notional="100"), UNTRADABLE, "symbol_not_tradable"),
    (buy(notional="100"), HALTED, "symbol_halted"),
    (buy(notional="100"), replace(FACTS, restriction="An inquiry."), "symbol_restricted"),
]
REFUSED_KIND = [
    (buy(quantity="1", limit_price="100.001"), FACTS, "sub_penny"),
    (buy(quantity="1", limit_price="0.00001"), FACTS, "sub_penny"),
    (stop(sell, at="95.001"), FACTS, "sub_penny"),
    (trailing(sell, trail_price="1.001"), FACTS, "sub_penny"),
    (bracket(profit="120.001"), FACTS, "sub_penny"),
    (buy(quantity="1.5"), WHOLE_ONLY, "not_fractionable"),
    (buy(notional="100"), WHOLE_ONLY, "not_fractionable"),
    (buy(quantity="1.5", time_in_force=GTC), FACTS, "fraction_needs_day"),
    (buy(notional="100", time_in_force=GTC), FACTS, "fraction_needs_day"),
    (buy(quantity="1.5", time_in_force=IOC), FACTS, "fraction_needs_day"),
    (buy(quantity="1.5", time_in_force=OPG), FACTS, "fraction_needs_day"),
    (replace(stop(buy, at="101"), quantity=None, notional=Decimal(5)), FACTS, "fraction_type"),
    (replace(trailing(sell, trail_price="1"), quantity=Decimal("1.5")), FACTS, "fraction_type"),
    (stop(sell, at="95", time_in_force=IOC), FACTS, "time_in_force_unfit"),
    (stop(sell, at="95", limit="94", time_in_force=OPG), FACTS, "time_in_force_unfit"),
    (replace(buy(quantity="1"), extended_hours=True), FACTS, "extended_hours_unfit"),
    (
        replace(buy(quantity="1", limit_price="100", time_in_force=IOC), extended_hours=True),
        FACTS,
        "extended_hours_unfit",
    ),
    (bracket(extended_hours=True), FACTS, "extended_hours_unfit"),
    (bracket(sell(quantity="1", limit_price="100")), FACTS, "class_side"),
    (oco(side=Side.BUY), FACTS, "class_side"),
    (bracket(buy(quantity="1.5", limit_price="100")), FACTS, "class_whole_shares"),
    (bracket(buy(notional="100")), FACTS, "class_whole_shares"),
    (bracket(time_in_force=IOC), FACTS, "class_time_in_force"),
    (bracket(trailing(buy, trail_price="1")), FACTS, "class_type"),
    (oco(profit="110", loss="110"), FACTS, "exits_crossed"),
    (buy(notional="100"), replace(FACTS, replaced=OLD), "replace_notional"),
    (OLD, replace(FACTS, replaced=buy(notional="100")), "replace_notional"),
    (buy(quantity="1.5"), replace(FACTS, replaced=OLD), "replace_whole_shares"),
]
REFUSED_TURN = [
    (buy(notional="100"), CLOSED, "market_closed"),
    (buy(quantity="1", time_in_force=GTC), CLOSED, "market_closed"),
    (buy(quantity="1", limit_price="100"), CLOSED, "market_closed"),
    (replace(buy(quantity="1", limit_price="100"), extended_hours=True), CLOSED, "market_closed"),
    (buy(quantity="1", limit_price="100"), EARLY, "market_closed"),
    (buy(notional="100"), using(twins=1), "duplicate_order"),
    (buy(notional="100"), using(open_orders=5), "open_orders"),
    (buy(notional="100"), using(day_orders=20), "daily_orders"),
    (buy(notional="100"), replace(FACTS, quote=None), "price_stale"),
    (buy(notional="100"), with_quote(as_of=AT - timedelta(seconds=5.001)), "price_stale"),
]
REFUSED_WEIGHT = [
    (bracket(profit="100.00"), FACTS, "take_profit_too_low"),
    (bracket(loss="100.00"), FACTS, "stop_loss_too_high"),
    (bracket(buy(quantity="1"), loss="100.10"), FACTS, "stop_loss_too_high"),
    (oco(profit="99.90"), FACTS, "take_profit_too_low"),
    (oto(loss="100.00"), FACTS, "stop_loss_too_high"),
    (buy(quantity="1", limit_price="110.12"), FACTS, "price_collar"),
    (sell(quantity="1", limit_price="89.90"), FACTS, "price_collar"),
    (stop(buy, at="90.08"), FACTS, "price_collar"),
    (stop(sell, at="109.90"), FACTS, "price_collar"),
    (stop(buy, at="120", limit="132.01"), FACTS, "price_collar"),
    (stop(sell, at="80", limit="71.99"), FACTS, "price_collar"),
    (trailing(sell, trail_price="99.90"), FACTS, "price_collar"),
    (buy(notional="0.99"), FACTS, "below_minimum"),
    (buy(quantity="0.009"), FACTS, "below_minimum"),
    (buy(notional="5000.01"), RICH, "above_maximum"),
    (
        sell(quantity="51"),
        replace(HEAVY, quote=replace(QUOTE, bid=Decimal(1))),
        "above_max_quantity",
    ),
    (buy(notional="1000"), using(RICH, day_notional=Decimal("9000.01")), "daily_notional"),
    (buy(notional="100"), meeting(OrderType.MARKET), "wash_trade"),
    (buy(quantity="1", limit_price="100"), meeting(OrderType.STOP), "wash_trade"),
    (buy(quantity="1", limit_price="100"), meeting(OrderType.LIMIT, "100"), "wash_trade"),
    (sell(quantity="1", limit_price="100"), meeting(OrderType.LIMIT, "100"), "wash_trade"),
    (buy(notional="1000.01"), FACTS, "insufficient_buying_power"),
    (buy(quantity="10"), FACTS, "insufficient_buying_power"),
    (bracket(buy(quantity="10", limit_price="100.01")), FACTS, "insufficient_buying_power"),
    (sell(quantity="5.000000001"), FACTS, "insufficient_quantity"),
    (sell(notional="499.51"), FACTS, "insufficient_quantity"),
    (
        buy(notional="500.01"),
        with_limits(replace(FACTS, equity=Decimal(2000)), concentration=Decimal("0.25")),
        "concentration",
    ),
]
REFUSED = [*REFUSED_FORM, *REFUSED_PLACE, *REFUSED_KIND, *REFUSED_TURN, *REFUSED_WEIGHT]
ALLOWED = [
    (buy(notional="1"), FACTS, "1"),
    (buy(notional="1000"), FACTS, "1000"),
    (buy(quantity="9"), FACTS, "900.90"),
    (buy(quantity="9.99"), with_quote(ask=Decimal(0)), "999"),
    (buy("BRK.B", quantity="1"), FACTS, "100.10"),
    (buy("BTC/USD", quantity="1"), FACTS, "100.10"),
    (buy("A" * 24, quantity="1"), FACTS, "100.10"),
    (buy(quantity="1", limit_price="110.11"), FACTS, "110.11"),
    (buy(quantity="2", limit_price="0.5001"), with_quote(ask=Decimal("0.50")), "1.0002"),
    (buy(notional="100"), with_quote(as_of=AT - timedelta(seconds=5)), "100"),
    (sell(quantity="5"), FACTS, "499.50"),
    (sell(quantity="0.000000001"), FACTS, "0.000000100"),
    (sell(notional="499.50"), FACTS, "499.50"),
    (sell(quantity="2", limit_price="150"), FACTS, "300"),
    (buy(quantity="2"), WHOLE_ONLY, "200.20"),
    (buy(quantity="2", time_in_force=GTC), FACTS, "200.20"),
    (buy(quantity="2", time_in_force=OPG), FACTS, "200.20"),
    (buy(notional="2000"), replace(FACTS, spendable=None), "2000"),
    (buy(notional="100"), replace(FACTS, is_account_closing=True, **CLOSURE), "100"),
    (sell(quantity="60"), replace(HEAVY, **CLOSURE), "5994.00"),
    # Stops: valued where they are triggered, or at the market that has passed them.
    (stop(buy, "2", at="105"), FACTS, "210"),
    (stop(buy, "2", at="90.09"), FACTS, "200.20"),
    (stop(sell, "2", at="10"), FACTS, "20"),
    (stop(sell, "2", at="109.89"), FACTS, "199.80"),
    (stop(sell, "1.5", at="95"), FACTS, "142.5"),
    (stop(buy, "2", at="120", limit="132.00"), FACTS, "264"),
    (stop(sell, "2", at="80", limit="72.00"), FACTS, "144"),
    (trailing(buy, trail_price="5"), FACTS, "105.10"),
    (trailing(sell, trail_price="99.89"), FACTS, "0.01"),
    (trailing(sell, trail_percent="2.5"), FACTS, "97.4025"),
    # Exits.
    (bracket(), FACTS, "100"),
    (bracket(profit="100.01", loss="99.99"), FACTS, "100"),
    (bracket(buy(quantity="1"), profit="100.11", loss="100.09"), FACTS, "100.10"),
    (bracket(loss_limit="85", time_in_force=GTC), FACTS, "100"),
    (oco(profit="99.91", loss="99.89"), FACTS, "99.91"),
    (oto(loss="90"), FACTS, "100"),
    (oto(profit="120"), FACTS, "100"),
    (lots(sell(quantity="2"), "0.5", "1.5"), FACTS, "199.80"),
    # While the market is closed the price of the close is fresh, and some orders wait.
    (replace(buy(notional="100"), after_hours=AfterHours.QUEUE_FOR_OPEN), CLOSED, "100"),
    (buy(quantity="1", limit_price="100", time_in_force=GTC), CLOSED, "100"),
    (stop(sell, at="95", time_in_force=GTC), CLOSED, "95"),
    (buy(quantity="1", limit_price="100", time_in_force=OPG), CLOSED, "100"),
    (buy(quantity="1", time_in_force=TimeInForce.CLS), CLOSED, "100.10"),
    (replace(buy(quantity="1", limit_price="100"), extended_hours=True), EARLY, "100"),
    # Just within the limits.
    (buy(notional="5000"), RICH, "5000"),
    (sell(quantity="50"), replace(HEAVY, quote=replace(QUOTE, bid=Decimal(1))), "50"),
    (buy(notional="1000"), using(RICH, day_notional=Decimal(9000)), "1000"),
    (buy(notional="100"), using(open_orders=4, day_orders=19), "100"),
    (sell(quantity="1"), using(twins=1, open_orders=9, day_orders=99), None),
    (
        buy(notional="500"),
        with_limits(replace(FACTS, equity=Decimal(2000)), concentration=Decimal("0.25")),
        "500",
    ),
    (buy(notional="900"), replace(FACTS, equity=Decimal(900)), "900"),
    # Orders of the other side that cannot meet, or are the broker's business.
    (buy(quantity="1", limit_price="100"), meeting(OrderType.LIMIT, "100.01"), "100"),
    (sell(quantity="1", limit_price="100.01"), meeting(OrderType.LIMIT, "100"), "100.01"),
    (buy(notional="100"), meeting(OrderType.TRAILING_STOP), "100"),
    (buy(notional="100"), meeting(OrderType.LIMIT, "1", order_class=OrderClass.OCO), "100"),
    (buy(notional="100"), meeting(OrderType.STOP, is_exit=True), "100"),
    (bracket(), meeting(OrderType.MARKET), "100"),
    (replace(OLD, quantity=Decimal(2)), replace(FACTS, replaced=OLD), "198"),
]
ALLOWED = [
    (ticket, replace(facts, **CLOSURE) if value is None else facts, value or "99.90")
    for ticket, facts, value in ALLOWED
]


@pytest.mark.parametrize(("ticket", "facts", "rule"), REFUSED)
def test_refuses_by_the_rule(ticket, facts, rule):
    verdict = risk.judge(ticket, facts)

    assert (verdict.is_allowed, verdict.rule) == (False, rule)
    assert verdict.field
    assert verdict.detail.endswith((".", "?"))


@pytest.mark.parametrize(("ticket", "facts", "value"), ALLOWED)
def test_allows_and_values_it(ticket, facts, value):
    verdict = risk.judge(ticket, facts)

    assert (verdict.rule, verdict.is_allowed, verdict.value) == ("", True, Decimal(value))


def test_only_what_is_no_order_at_all_is_kept_nowhere():
    form = {rule for _, _, rule in REFUSED_FORM}

    assert form <= risk.SHAPE_RULES
    assert not {rule for _, _, rule in REFUSED if rule not in form} & risk.SHAPE_RULES


def test_names_the_field_of_the_request():
    assert risk.judge(buy(notional="0.5"), FACTS).field == "notional_amount"
    assert risk.judge(buy(quantity="0.001"), FACTS).field == "units"
    assert risk.judge(buy(notional="5"), UNTRADABLE).field == "ticker"
    assert risk.judge(stop(buy, at="1.001"), FACTS).field == "stop_price"
