"""Random orders with random circumstances: mostly sound, with up to three things amiss."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from trading import risk
from trading.states import AfterHours, OrderClass, OrderType, Side, Source, TimeInForce
from trading.tickets import LotChoice, Ticket

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
CENT = Decimal("0.01")
ODD_NUMBERS = [
    Decimal(text)
    for text in (
        "0", "-1", "NaN", "Infinity", "-Infinity", "1E+12", "999999999999", "1E+400", "0.0001",
        "0.00001", "0.9999", "1", "1.00", "1.001", "0.99", "1E-9", "1E-10", "100", "99.99999",
        "5.000000001",
    )
]  # fmt: skip
SYMBOLS = ["AAPL", "BRK.B", "BTC/USD", "BF-A", "A", "3M"]
ODD_SYMBOLS = ["", "aapl", "A.B.C", ".A", "A.", "A B", "ÄB", "A" * 24, "A" * 25, "A\n", "A_B"]
LIMITS = risk.Limits(
    max_notional=Decimal(5000),
    quote_seconds=5,
    collar=Decimal("0.1"),
    max_quantity=Decimal(1000),
    daily_notional=Decimal(20_000),
    daily_orders=100,
    open_orders=10,
    concentration=Decimal(1),
    step_up_notional=Decimal(25_000),
)


def random_case(random):
    """Make a ticket and facts that fit each other, then spoil a few things."""
    facts = sound_facts(random)
    ticket = sound_ticket(random, facts)
    for spoil in random.sample(SPOILS, random.choice((0, 0, 1, 1, 2, 3))):
        ticket, facts = spoil(random, ticket, facts)
    return ticket, facts


def sound_facts(random):
    last = random.choice((Decimal("0.85"), Decimal("12.34"), Decimal(100), Decimal("431.77")))
    tick = CENT if last >= 1 else Decimal("0.0001")
    gap = tick * random.choice((0, 1, 10))
    return risk.Facts(
        account_status="ACTIVE",
        is_account_active=True,
        is_account_frozen=False,
        instrument=risk.Traits(is_tradable=True, is_fractionable=True),
        quote=risk.MarketQuote(bid=last - gap, ask=last + gap, last=last, as_of=AT),
        session=random.choice((None, risk.Session(is_open=True))),
        spendable=random.choice((None, Decimal(4000))),
        sellable=random.choice((None, Decimal(50))),
        position=Decimal(random.choice((0, 5, 50))),
        equity=random.choice((None, Decimal(10_000))),
        limits=LIMITS,
        at=AT,
    )


def sound_ticket(random, facts):
    side, order_class = random.choice(list(Side)), OrderClass.SIMPLE
    if random.random() < 0.25:
        order_class = random.choice((OrderClass.BRACKET, OrderClass.OCO, OrderClass.OTO))
        side = Side.SELL if order_class == OrderClass.OCO else Side.BUY
    kinds = list(OrderType)
    if order_class != OrderClass.SIMPLE:
        kinds = [OrderType.LIMIT] if order_class == OrderClass.OCO else kinds[:4]
    order_type = random.choice(kinds)
    prices = sound_prices(random, facts, side, order_type, order_class)
    is_free = order_class == OrderClass.SIMPLE and order_type in kinds[:2]
    sizes = [("quantity", Decimal(random.randint(2, 12)))]
    if is_free:
        sizes += [("notional", Decimal(random.randint(100, 400_000)) / 100)]
        sizes += [("quantity", Decimal(random.randint(1, 10**10)) / 10**9)]
    name, size = random.choice(sizes)
    lasts = [TimeInForce.DAY]
    if name == "quantity" and size == int(size):
        lasts += list(TimeInForce) if is_free else [TimeInForce.GTC]
    return Ticket(
        symbol=random.choice(SYMBOLS),
        side=side,
        order_type=order_type,
        order_class=order_class,
        time_in_force=random.choice(lasts),
        **{name: size},
        **prices,
    )


def sound_prices(random, facts, side, order_type, order_class):
    market = facts.quote.price_for(is_buy=side == Side.BUY)
    prices = {}
    if order_type in {OrderType.STOP, OrderType.STOP_LIMIT}:
        prices["stop_price"] = near(random, market)
    if order_type in {OrderType.LIMIT, OrderType.STOP_LIMIT} and order_class != OrderClass.OCO:
        prices["limit_price"] = near(random, prices.get("stop_price", market))
    if order_type == OrderType.TRAILING_STOP:
        field = random.choice(("trail_price", "trail_percent"))
        prices[field] = random.choice((Decimal("0.5"), Decimal("1.25"), market))
    base = prices.get("limit_price", max(market, prices.get("stop_price", market)))
    if order_class != OrderClass.SIMPLE:
        exits = {"take_profit_price": above(random, base), "stop_loss_price": below(random, base)}
        if order_class == OrderClass.OTO:
            del exits[random.choice(list(exits))]
        if "stop_loss_price" in exits and random.random() < 0.5:
            exits["stop_loss_limit_price"] = below(random, exits["stop_loss_price"])
        prices |= exits
    return prices


def ticked(price):
    return max(price.quantize(CENT if price >= 1 else Decimal("0.0001")), Decimal("0.0001"))


def near(random, price):
    """Choose a price around another one: often just where the collar ends, or a tick beside it."""
    tick = CENT if price >= 1 else Decimal("0.0001")
    factor = random.choice(("0.9", "0.95", "1", "1", "1.05", "1.1"))
    return ticked(price * Decimal(factor) + tick * random.choice((-1, 0, 0, 1)))


def above(random, price):
    return ticked(price + random.choice((CENT, CENT, Decimal("0.009"), price / 10)))


def below(random, price):
    return ticked(price - random.choice((CENT, CENT, Decimal("0.009"), price / 10)))


# What can be amiss


def of_ticket(**choices):
    """Set one field of the ticket to one of the values that are chosen from."""
    ((name, values),) = choices.items()

    def spoil(random, ticket, facts):
        return replace(ticket, **{name: random.choice(values)}), facts

    return spoil


def of_facts(**choices):
    ((name, values),) = choices.items()

    def spoil(random, ticket, facts):
        return ticket, replace(facts, **{name: random.choice(values)})

    return spoil


def of_part(part, **choices):
    ((name, values),) = choices.items()

    def spoil(random, ticket, facts):
        before = getattr(facts, part)
        if before is None:
            return ticket, facts
        return ticket, replace(facts, **{part: replace(before, **{name: random.choice(values)})})

    return spoil


def a_price(random, ticket, facts):
    field = random.choice(PRICES)
    return replace(ticket, **{field: random.choice([None, *ODD_NUMBERS])}), facts


def a_price_nearby(random, ticket, facts):
    given = [name for name in PRICES if getattr(ticket, name) is not None]
    if not given or facts.quote is None:
        return ticket, facts
    field = random.choice(given)
    return replace(ticket, **{field: near(random, facts.quote.last)}), facts


def a_size_at_the_edge(random, ticket, facts):
    """Cost just what may be spent, sold, ordered or minded, or a little more."""
    if facts.quote is None:
        return ticket, facts
    more = random.choice((Decimal(0), CENT, -CENT))
    if random.random() < 0.5:
        held = (facts.sellable or Decimal(1)) * facts.quote.price_for(is_buy=ticket.is_buy)
        most = random.choice((facts.limits.max_notional, facts.spendable or Decimal(1), held))
        return replace(ticket, quantity=None, notional=most + more), facts
    sizes = [facts.sellable or Decimal(1), facts.limits.max_quantity]
    nano = Decimal("1e-9") * random.choice((0, 0, 1))
    return replace(ticket, notional=None, quantity=random.choice(sizes) + nano), facts


def lots(random, ticket, facts):
    size = ticket.quantity if ticket.quantity is not None else Decimal(1)
    half = size / 2 if size.is_finite() and abs(size) < 10**6 else Decimal(1)
    parts = random.choice(
        ([size], [half, size - half] if size.is_finite() else [size], [half], [Decimal(0), size])
    )
    same = random.random() < 0.2
    chosen = tuple(
        LotChoice(lot_id=UUID(int=1 if same else number), quantity=part)
        for number, part in enumerate(parts, start=1)
    )
    return replace(ticket, lots=chosen), facts


def rivals(random, ticket, facts):
    price = None if facts.quote is None else near(random, facts.quote.last)
    rival = risk.Rival(
        order_id="r",
        order_type=random.choice(list(OrderType)),
        order_class=random.choice([OrderClass.SIMPLE, OrderClass.SIMPLE, OrderClass.OCO]),
        limit_price=random.choice((None, price, ticket.limit_price)),
        is_exit=random.random() < 0.1,
    )
    if rival.limit_price is not None and not rival.limit_price.is_finite():
        rival = replace(rival, limit_price=None)
    return ticket, replace(facts, rivals=(rival,))


def closed_market(random, ticket, facts):
    closed = AT - timedelta(hours=18)
    session = risk.Session(
        is_open=False,
        is_extended=random.random() < 0.5,
        closed_at=random.choice((None, closed, closed)),
    )
    ages = (timedelta(0), timedelta(minutes=15), timedelta(minutes=15, microseconds=1))
    facts = replace(facts, session=session)
    if facts.quote is not None and random.random() < 0.7:
        facts = replace(facts, quote=replace(facts.quote, as_of=closed - random.choice(ages)))
    if random.random() < 0.4:
        ticket = replace(ticket, after_hours=random.choice(list(AfterHours)))
    if random.random() < 0.3:
        ticket = replace(ticket, extended_hours=True)
    return ticket, facts


def concentrated(random, ticket, facts):
    part = Decimal(random.choice(("0.05", "0.25", "0.5")))
    used = replace(facts.used, opening_value=Decimal(random.choice((0, 1000))))
    return ticket, replace(facts, limits=replace(facts.limits, concentration=part), used=used)


def replacement(random, ticket, facts):
    old = replace(ticket)
    if random.random() < 0.3:
        old = replace(ticket, quantity=None, notional=Decimal(50))
    return ticket, replace(facts, replaced=old)


def frozen(random, ticket, facts):
    return ticket, replace(facts, is_account_active=False, is_account_frozen=True)


def trailing_with_exits(random, ticket, facts):
    if ticket.order_class not in {OrderClass.BRACKET, OrderClass.OTO}:
        return ticket, facts
    changes = {"limit_price": None, "stop_price": None, "trail_percent": Decimal(2)}
    return replace(ticket, order_type=OrderType.TRAILING_STOP, **changes), facts


def exits_together(random, ticket, facts):
    if ticket.take_profit_price is None or ticket.stop_loss_price is None:
        return ticket, facts
    return replace(ticket, stop_loss_price=ticket.take_profit_price), facts


def nobody_knows(random, ticket, facts):
    return ticket, replace(facts, **random.choice(({"quote": None}, {"instrument": None})))


PRICES = (
    "limit_price",
    "stop_price",
    "trail_price",
    "take_profit_price",
    "stop_loss_price",
    "stop_loss_limit_price",
)
SIZES = [None, *ODD_NUMBERS, Decimal(3), Decimal("3.5")]
SPOILS = [
    *[a_price] * 6,
    *[a_price_nearby] * 4,
    *[a_size_at_the_edge] * 4,
    *[rivals] * 3,
    *[closed_market] * 3,
    *[concentrated] * 2,
    *[replacement] * 2,
    lots,
    frozen,
    trailing_with_exits,
    exits_together,
    nobody_knows,
    of_ticket(symbol=ODD_SYMBOLS),
    of_ticket(quantity=SIZES),
    of_ticket(notional=SIZES),
    of_ticket(side=list(Side)),
    of_ticket(order_type=list(OrderType)),
    of_ticket(time_in_force=list(TimeInForce)),
    of_ticket(order_class=list(OrderClass)),
    of_ticket(extended_hours=[True]),
    of_ticket(after_hours=list(AfterHours)),
    of_ticket(trail_percent=[None, Decimal("12.3456"), Decimal("1.23456"), *ODD_NUMBERS]),
    of_facts(is_account_active=[False]),
    of_facts(is_account_frozen=[True]),
    of_facts(is_account_closing=[True]),
    of_facts(source=list(Source)),
    of_facts(halt_reason=["A drill."]),
    of_facts(restriction=["An inquiry."]),
    of_facts(spendable=[Decimal(0), Decimal("1.00"), Decimal(100_000)]),
    of_facts(sellable=[Decimal(0), Decimal(2), Decimal(10_000)]),
    of_facts(equity=[Decimal(0), Decimal(-500), Decimal(10_000)]),
    of_part("instrument", is_tradable=[False]),
    of_part("instrument", is_coin=[True]),
    of_part("instrument", is_contract=[True]),
    of_part("instrument", is_fractionable=[False]),
    of_part("instrument", is_halted=[True]),
    of_part("quote", ask=[Decimal(0)]),
    of_part("quote", bid=[Decimal(0)]),
    of_part(
        "quote",
        as_of=[
            AT - timedelta(seconds=5), AT - timedelta(seconds=5, microseconds=1),
            AT + timedelta(seconds=2), AT - timedelta(days=2),
        ],
    ),
    of_part("used", twins=[1]),
    of_part("used", open_orders=[9, 10, 11]),
    of_part("used", day_orders=[99, 100]),
    of_part("used", day_notional=[Decimal(19_900), Decimal(15_000), Decimal(20_001)]),
    of_part("limits", max_quantity=[Decimal(1), Decimal(5)]),
    of_part("limits", max_notional=[Decimal(100), Decimal(1_000_000)]),
    of_part("limits", daily_notional=[Decimal(400), Decimal(1_000_000)]),
]  # fmt: skip
