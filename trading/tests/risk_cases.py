"""Facts and tickets that the tests of the rules begin with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from trading import risk
from trading.states import OrderClass, OrderType, Source, TimeInForce
from trading.tests.factories import buy, sell
from trading.tickets import LotChoice

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
QUOTE = risk.MarketQuote(bid=Decimal("99.90"), ask=Decimal("100.10"), last=Decimal(100), as_of=AT)
LIMITS = risk.Limits(
    max_notional=Decimal(5000),
    quote_seconds=5,
    collar=Decimal("0.1"),
    max_quantity=Decimal(50),
    daily_notional=Decimal(10_000),
    daily_orders=20,
    open_orders=5,
    concentration=Decimal(1),
    step_up_notional=Decimal(2500),
    origins={"max_notional": "account"},
)
FACTS = risk.Facts(
    account_status="ACTIVE",
    is_account_active=True,
    is_account_frozen=False,
    instrument=risk.Traits(is_tradable=True, is_fractionable=True),
    quote=QUOTE,
    session=risk.Session(is_open=True),
    spendable=Decimal(1000),
    sellable=Decimal(5),
    limits=LIMITS,
    at=AT,
)
FROZEN = replace(FACTS, is_account_active=False, is_account_frozen=True)
WHOLE_ONLY = replace(FACTS, instrument=risk.Traits(is_tradable=True, is_fractionable=False))
COIN = replace(FACTS, instrument=risk.Traits(is_tradable=True, is_fractionable=True, is_coin=True))
CONTRACT = replace(
    FACTS, instrument=risk.Traits(is_tradable=True, is_fractionable=False, is_contract=True)
)
UNTRADABLE = replace(FACTS, instrument=risk.Traits(is_tradable=False, is_fractionable=True))
HALTED = replace(
    FACTS, instrument=risk.Traits(is_tradable=True, is_fractionable=True, is_halted=True)
)
RICH = replace(FACTS, spendable=Decimal(1_000_000))
HEAVY = replace(FACTS, sellable=Decimal(1_000))
CLOSED_AT = AT - timedelta(hours=18)
CLOSED = replace(
    FACTS,
    session=risk.Session(is_open=False, closed_at=CLOSED_AT),
    quote=replace(QUOTE, as_of=CLOSED_AT - timedelta(minutes=1)),
)
EARLY = replace(FACTS, session=risk.Session(is_open=False, is_extended=True, closed_at=CLOSED_AT))
CLOSURE: dict[str, Any] = {"source": Source.CLOSURE}
GTC, IOC, OPG = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.OPG
OLD = buy(quantity="1", limit_price="99")


def with_quote(**changes):
    return replace(FACTS, quote=replace(QUOTE, **changes))


def with_limits(facts=FACTS, **changes):
    return replace(facts, limits=replace(LIMITS, **changes))


def using(facts=FACTS, **used):
    return replace(facts, used=risk.Used(**used))


def meeting(order_type, price=None, **more):
    limit_price = None if price is None else Decimal(price)
    rival = risk.Rival(order_id="r", order_type=order_type, limit_price=limit_price, **more)
    return replace(FACTS, rivals=(rival,))


def stop(make, quantity="1", *, at, limit=None, **more):
    """An order that waits for the market to reach a price."""
    return replace(
        make(quantity=quantity),
        order_type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
        stop_price=Decimal(at),
        limit_price=None if limit is None else Decimal(limit),
        **more,
    )


def trailing(make, **trail):
    exact = {name: Decimal(figure) for name, figure in trail.items()}
    return replace(make(quantity="1"), order_type=OrderType.TRAILING_STOP, **exact)


def bracket(order=None, *, profit="120", loss="90", **more):
    return exits(
        order or buy(quantity="1", limit_price="100"), OrderClass.BRACKET, profit, loss, **more
    )


def oco(*, profit="120", loss="90", **more):
    order = replace(sell(quantity="1"), order_type=OrderType.LIMIT)
    return exits(order, OrderClass.OCO, profit, loss, **more)


def oto(*, profit=None, loss=None, **more):
    return exits(buy(quantity="1", limit_price="100"), OrderClass.OTO, profit, loss, **more)


def exits(order, order_class, profit, loss, *, loss_limit=None, **more):
    prices = {
        "take_profit_price": profit,
        "stop_loss_price": loss,
        "stop_loss_limit_price": loss_limit,
    }
    exact = {name: None if text is None else Decimal(text) for name, text in prices.items()}
    return replace(order, order_class=order_class, **exact, **more)


def lots(ticket, *quantities, same=False):
    chosen = [
        LotChoice(lot_id=UUID(int=1 if same else number), quantity=Decimal(quantity))
        for number, quantity in enumerate(quantities, start=1)
    ]
    return replace(ticket, lots=tuple(chosen))
