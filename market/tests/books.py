"""What tests of the price book offer to it, and what they find in it."""

import math
from datetime import timedelta

from market.facts import Band, BestPrices
from market.nanos import nanoseconds, to_decimal
from market.tests.factories import AT, trade

NOW = nanoseconds(AT)
SECOND = 10**9
NO_PRICES = [0, 0.0, -1.0, -0.01, math.nan, math.inf, -math.inf, 1e308, 1e9, None, "1", True, b"1"]
NO_TIMES = [NOW + 61 * SECOND, NOW - 86_400 * SECOND, 0, -1, None, "2026", 1.5, True]


def price_in(book):
    return {entry.number: to_decimal(entry.price) for entry in book.everything()}


def flags_in(book):
    (entry,) = book.everything()
    return entry.flags


def quoted_in(book):
    (entry,) = book.everything()
    return to_decimal(entry.bid), to_decimal(entry.ask), entry.quoted_ns


def quote(bid=99.9, ask=100.1, *, at_ns=NOW):
    return BestPrices("AAPL", bid, ask, at_ns)


def after(seconds, price, *, since=AT):
    return trade(price=price, at=since + timedelta(seconds=seconds))


def band(low, high, *, at_ns=NOW):
    return Band("AAPL", low, high, at_ns)
