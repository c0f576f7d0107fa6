"""
The rules a second time, as a table of statements, to compare with those that trade.

It shares nothing with `trading.risk` but the data that goes in. Figures are fractions here and
words are plain text, so that a slip in the one is not repeated in the other.
"""

import re
from datetime import timedelta
from fractions import Fraction
from functools import cached_property

F = Fraction
TRILLION = F(10**12)
NAMED = ("limit", "stop", "trail", "profit", "loss", "loss_limit")


def fraction(number):
    """Turn a decimal into a fraction; what is no number becomes nothing."""
    return F(number) if number is not None and number.is_finite() else None


def places(number):
    """Count the decimal places that a number really has."""
    return max(0, -number.normalize().as_tuple().exponent)


class View:
    """One order and what is known, in the words of the table."""

    def __init__(self, ticket, facts):
        self.ticket, self.facts, self.limits = ticket, facts, facts.limits
        self.kind, self.lasts = str(ticket.order_type), str(ticket.time_in_force)
        self.group, self.buys = str(ticket.order_class), str(ticket.side) == "BUY"
        self.raw = {
            "limit": ticket.limit_price,
            "stop": ticket.stop_price,
            "trail": ticket.trail_price,
            "profit": ticket.take_profit_price,
            "loss": ticket.stop_loss_price,
            "loss_limit": ticket.stop_loss_limit_price,
        }
        self.price = {name: fraction(number) for name, number in self.raw.items()}
        self.has = {name: number is not None for name, number in self.raw.items()}
        self.has_percent = ticket.trail_percent is not None
        self.percent = fraction(ticket.trail_percent)
        self.size_raw = ticket.quantity if ticket.notional is None else ticket.notional
        self.units, self.dollars = fraction(ticket.quantity), fraction(ticket.notional)
        self.by_dollars = ticket.notional is not None
        self.mine = str(facts.source) == "CLOSURE"

    def off_tick(self, name):
        number = self.raw[name]
        return number is not None and places(number) > (2 if self.price[name] >= 1 else 4)

    def wild_number(self, name):
        if not self.has[name]:
            return False
        number = self.price[name]
        return number is None or number <= 0 or number >= TRILLION

    @cached_property
    def part_of_share(self):
        return self.by_dollars or self.units.denominator != 1

    @cached_property
    def old_price(self):
        facts = self.facts
        age = facts.at - facts.quote.as_of
        if age <= timedelta(seconds=self.limits.quote_seconds):
            return False
        session = facts.session
        waits = self.ticket.after_hours == "queue_for_open" or not self.ticket.extended_hours
        if session is None or session.is_open or session.closed_at is None:
            return True
        if waits or not session.is_extended:
            return session.closed_at - facts.quote.as_of > timedelta(minutes=15)
        return True

    @cached_property
    def market(self):
        quote = self.facts.quote
        side = F(quote.ask if self.buys else quote.bid)
        return side or F(quote.last)

    @cached_property
    def at_price(self):
        if self.group == "OCO":
            return self.price["profit"]
        return {
            "MARKET": lambda: self.market,
            "LIMIT": lambda: self.price["limit"],
            "STOP_LIMIT": lambda: self.price["limit"],
            "STOP": self.stop_fill,
            "TRAILING_STOP": self.trailed,
        }[self.kind]()

    def stop_fill(self):
        reached = (
            self.market > self.price["stop"] if self.buys else (self.market < self.price["stop"])
        )
        return self.market if reached else self.price["stop"]

    def trailed(self):
        away = self.price["trail"] or self.market * self.percent / 100
        start = self.market + (away if self.buys else -away)
        return self.market if start < F(1, 10**9) else F(round(start * 10**9), 10**9)

    @cached_property
    def worth(self):
        return (
            self.dollars if self.by_dollars else F(round(self.units * self.at_price * 10**9), 10**9)
        )

    @cached_property
    def shares(self):
        return self.worth / self.at_price if self.by_dollars else self.units

    @cached_property
    def share_of_account(self):
        if self.facts.equity is None:
            return F(0)
        held = F(self.facts.position) * self.market
        everything = F(self.facts.equity) + held
        if everything <= 0:
            return F(0)
        return (held + F(self.facts.used.opening_value) + self.worth) / everything

    @cached_property
    def base(self):
        return self.market if self.group == "OCO" else self.at_price

    @cached_property
    def collar(self):
        return F(self.limits.collar)

    @cached_property
    def limit_from(self):
        """Where the reach of a limit price is measured from."""
        if not self.has["stop"]:
            return self.market
        ends = sorted([self.market, self.price["stop"]])
        return ends[1] if self.buys else ends[0]

    @cached_property
    def meets_itself(self):
        if self.group != "SIMPLE" or self.kind == "TRAILING_STOP":
            return False
        return any(self.crosses(rival) for rival in self.facts.rivals)

    def crosses(self, rival):
        if str(rival.order_class) != "SIMPLE" or rival.is_exit:
            return False
        if str(rival.order_type) == "TRAILING_STOP":
            return False
        limits = [self.price["limit"], fraction(rival.limit_price)]
        if None in limits:
            return True
        bid, offer = limits if self.buys else limits[::-1]
        return bid >= offer

    @cached_property
    def may_wait(self):
        if str(self.ticket.after_hours) or self.lasts in {"OPG", "CLS"}:
            return True
        return self.lasts == "GTC" and self.kind != "MARKET"

    @cached_property
    def lots(self):
        return [(lot.lot_id, fraction(lot.quantity)) for lot in self.ticket.lots]


def wants(name, *kinds):
    """Give the two lines on a price that only these types have."""
    return [
        (
            f"{name}_price_unwanted",
            lambda v: v.has[name] and (v.group == "OCO" or v.kind not in kinds),
        ),
        (
            f"{name}_price_missing",
            lambda v: not v.has[name] and v.group != "OCO" and v.kind in kinds,
        ),
    ]


FIELDS = dict(
    zip(
        NAMED,
        (
            "limit_price",
            "stop_price",
            "trail_price",
            "take_profit_price",
            "stop_loss_price",
            "stop_loss_limit_price",
        ),
        strict=True,
    )
)
SYMBOL = re.compile(r"[A-Z0-9]+([./-][A-Z0-9]+)?\Z", re.ASCII)

NO_ORDER_AT_ALL = [
    ("symbol_malformed", lambda v: not SYMBOL.match(v.ticket.symbol) or len(v.ticket.symbol) > 24),
    ("size_ambiguous", lambda v: (v.ticket.quantity is None) == (v.ticket.notional is None)),
    (
        "size_not_positive",
        lambda v: not v.size_raw.is_finite() or fraction(v.size_raw) <= 0,
    ),
    ("size_absurd", lambda v: fraction(v.size_raw) >= TRILLION),
    ("too_many_decimals", lambda v: places(v.size_raw) > (2 if v.by_dollars else 9)),
    *(
        (f"{field}_not_positive", lambda v, name=name: v.wild_number(name))
        for name, field in FIELDS.items()
    ),
    (
        "trail_percent_not_positive",
        lambda v: v.has_percent and (v.percent is None or not 0 < v.percent < 100),
    ),
    ("too_many_decimals", lambda v: v.has_percent and places(v.ticket.trail_percent) > 4),
    ("oco_needs_limit", lambda v: v.group == "OCO" and v.kind != "LIMIT"),
    *wants("limit", "LIMIT", "STOP_LIMIT"),
    *wants("stop", "STOP", "STOP_LIMIT"),
    ("trail_price_unwanted", lambda v: v.kind != "TRAILING_STOP" and v.has["trail"]),
    ("trail_percent_unwanted", lambda v: v.kind != "TRAILING_STOP" and v.has_percent),
    ("trail_ambiguous", lambda v: v.kind == "TRAILING_STOP" and v.has["trail"] == v.has_percent),
    ("take_profit_price_unwanted", lambda v: v.group == "SIMPLE" and v.has["profit"]),
    ("stop_loss_price_unwanted", lambda v: v.group == "SIMPLE" and v.has["loss"]),
    ("stop_loss_limit_price_unwanted", lambda v: v.group == "SIMPLE" and v.has["loss_limit"]),
    ("stop_loss_price_missing", lambda v: v.has["loss_limit"] and not v.has["loss"]),
    ("exits_ambiguous", lambda v: v.group == "OTO" and v.has["profit"] == v.has["loss"]),
    ("take_profit_price_missing", lambda v: v.group in {"BRACKET", "OCO"} and not v.has["profit"]),
    ("stop_loss_price_missing", lambda v: v.group in {"BRACKET", "OCO"} and not v.has["loss"]),
    ("lots_unwanted", lambda v: v.lots and v.buys),
    ("lots_not_positive", lambda v: any(size is None or size <= 0 for _, size in v.lots)),
    (
        "lots_not_the_size",
        lambda v: (
            v.lots
            and (
                len({lot for lot, _ in v.lots}) != len(v.lots)
                or sum(size for _, size in v.lots) != v.units
            )
        ),
    ),
]
ACCOUNT_AND_SYMBOL = [
    ("account_frozen", lambda v: not v.facts.is_account_active and v.facts.is_account_frozen),
    ("account_not_active", lambda v: not v.facts.is_account_active),
    ("account_closing", lambda v: v.facts.is_account_closing and not v.mine),
    ("trading_halted", lambda v: v.facts.halt_reason is not None),
    ("symbol_unknown", lambda v: v.facts.instrument is None),
    ("coins_not_traded", lambda v: v.facts.instrument.is_coin),
    ("contracts_not_traded", lambda v: v.facts.instrument.is_contract),
    ("symbol_not_tradable", lambda v: not v.facts.instrument.is_tradable),
    ("symbol_halted", lambda v: v.facts.instrument.is_halted),
    ("symbol_restricted", lambda v: v.facts.restriction is not None),
]
KINDS = [
    *(("sub_penny", lambda v, name=name: v.off_tick(name)) for name in NAMED),
    ("not_fractionable", lambda v: v.part_of_share and not v.facts.instrument.is_fractionable),
    ("fraction_needs_day", lambda v: v.part_of_share and v.lasts != "DAY"),
    ("fraction_type", lambda v: v.by_dollars and v.kind not in {"MARKET", "LIMIT"}),
    ("fraction_type", lambda v: v.part_of_share and v.kind == "TRAILING_STOP"),
    (
        "time_in_force_unfit",
        lambda v: v.kind not in {"MARKET", "LIMIT"} and v.lasts not in {"DAY", "GTC"},
    ),
    (
        "extended_hours_unfit",
        lambda v: (
            v.ticket.extended_hours
            and (v.kind, v.group, v.lasts)
            not in {("LIMIT", "SIMPLE", "DAY"), ("LIMIT", "SIMPLE", "GTC")}
        ),
    ),
    ("class_side", lambda v: v.group in {"BRACKET", "OTO"} and not v.buys),
    ("class_side", lambda v: v.group == "OCO" and v.buys),
    ("class_whole_shares", lambda v: v.group != "SIMPLE" and v.part_of_share),
    ("class_time_in_force", lambda v: v.group != "SIMPLE" and v.lasts not in {"DAY", "GTC"}),
    ("class_type", lambda v: v.group != "SIMPLE" and v.kind == "TRAILING_STOP"),
    (
        "exits_crossed",
        lambda v: v.has["profit"] and v.has["loss"] and v.price["profit"] <= v.price["loss"],
    ),
    (
        "replace_notional",
        lambda v: (
            v.facts.replaced is not None and (v.by_dollars or v.facts.replaced.notional is not None)
        ),
    ),
    ("replace_whole_shares", lambda v: v.facts.replaced is not None and v.part_of_share),
]
TURN = [
    (
        "market_closed",
        lambda v: (
            v.facts.session is not None
            and not v.facts.session.is_open
            and not v.may_wait
            and not (v.ticket.extended_hours and v.facts.session.is_extended)
        ),
    ),
    ("duplicate_order", lambda v: v.facts.used.twins > 0 and not v.mine),
    ("open_orders", lambda v: v.facts.used.open_orders >= v.limits.open_orders and not v.mine),
    ("daily_orders", lambda v: v.facts.used.day_orders >= v.limits.daily_orders and not v.mine),
    ("price_stale", lambda v: v.facts.quote is None or v.old_price),
]
WEIGHT = [
    ("take_profit_too_low", lambda v: v.has["profit"] and v.price["profit"] - v.base < F(1, 100)),
    ("stop_loss_too_high", lambda v: v.has["loss"] and v.base - v.price["loss"] < F(1, 100)),
    (
        "price_collar",
        lambda v: (
            v.has["limit"]
            and (
                v.price["limit"] > v.limit_from * (1 + v.collar)
                if v.buys
                else v.price["limit"] < v.limit_from * (1 - v.collar)
            )
        ),
    ),
    (
        "price_collar",
        lambda v: (
            v.has["stop"]
            and (
                v.price["stop"] < v.market * (1 - v.collar)
                if v.buys
                else v.price["stop"] > v.market * (1 + v.collar)
            )
        ),
    ),
    ("price_collar", lambda v: v.has["trail"] and not v.buys and v.price["trail"] >= v.market),
    ("below_minimum", lambda v: v.buys and v.worth < 1),
    ("above_maximum", lambda v: not v.mine and v.worth > F(v.limits.max_notional)),
    ("above_max_quantity", lambda v: not v.mine and v.shares > F(v.limits.max_quantity)),
    (
        "daily_notional",
        lambda v: (
            not v.mine and v.worth + F(v.facts.used.day_notional) > F(v.limits.daily_notional)
        ),
    ),
    ("wash_trade", lambda v: v.meets_itself),
    (
        "insufficient_buying_power",
        lambda v: v.buys and v.facts.spendable is not None and v.worth > F(v.facts.spendable),
    ),
    (
        "insufficient_quantity",
        lambda v: not v.buys and v.facts.sellable is not None and v.shares > F(v.facts.sellable),
    ),
    (
        "concentration",
        lambda v: (
            v.buys
            and v.limits.concentration != 1
            and v.share_of_account > F(v.limits.concentration)
        ),
    ),
]
TABLE = [*NO_ORDER_AT_ALL, *ACCOUNT_AND_SYMBOL, *KINDS, *TURN, *WEIGHT]
RULES = {name for name, _ in TABLE}


def expected(ticket, facts):
    """Name the first line of the table that holds, or nothing: the order may pass."""
    view = View(ticket, facts)
    return next((name for name, holds in TABLE if holds(view)), "")
