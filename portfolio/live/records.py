"""One record of what an account is worth, for the socket and for REST alike, as JSON text."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np

from core import exact_json
from core.money import Money, Price, Quantity
from market.price_book import moment, to_decimal
from portfolio.live.book import PriceVectors, Stamp
from portfolio.live.holdings import AccountHoldings, Position
from portfolio.live.valuation import NO_PERCENT, Figures

SNAPSHOT: Final = "snapshot"
UPDATE: Final = "update"
_CENTS: Final = [f".{cents:02d}" for cents in range(100)]


class Worth(NamedTuple):
    """
    What one account is worth, in whole cents; nothing stands for "not known".

    `unpriced` names what it holds besides and nobody knows a price of.
    """

    total_cents: int | None
    return_cents: int | None
    percent: int | None  # hundredths
    unpriced: Sequence[str] = ()

    @property
    def total(self) -> Decimal | None:
        """The value in dollars."""
        return _dollars(self.total_cents)

    @property
    def day_return(self) -> Decimal | None:
        """Today's return in dollars."""
        return _dollars(self.return_cents)

    @property
    def day_return_percent(self) -> Decimal | None:
        """Today's return in percent of the value before it."""
        return _dollars(self.percent)


NOT_KNOWN: Final = Worth(None, None, None)


def worths_of(figures: Figures, rows: Sequence[int]) -> list[Worth]:
    """Take some accounts' figures out of everybody's; what is unpriced is not among them."""
    chosen = np.array(rows, dtype=np.intp)
    percents, is_unknown = figures.percents[chosen], figures.is_return_unknown[chosen]
    columns = zip(
        figures.totals[chosen].tolist(),
        figures.returns[chosen].tolist(),
        percents.tolist(),
        repeat(()),
        strict=False,
    )
    worths = list(map(Worth._make, columns))
    for index in np.flatnonzero(is_unknown | (percents == NO_PERCENT)):
        is_return_known = not is_unknown[index]
        day = worths[index].return_cents if is_return_known else None
        worths[index] = worths[index]._replace(return_cents=day, percent=None)
    return worths


def unpriced_of(account: AccountHoldings, book: PriceVectors) -> list[str]:
    """Name the symbols an account holds and nobody knows a price of."""
    return [
        p.symbol
        for p in account.positions
        if p.quantity and (p.number is None or not book.nanos[p.number])
    ]


def stamp_text(stamp: Stamp, *, at: datetime) -> str:
    """Write the part of a message that all accounts share."""
    as_of = f'"{_time(stamp.as_of)}"' if stamp.as_of else "null"
    return (
        f'"timestamp":"{_time(at)}","seq":{stamp.seq},"epoch":"{stamp.epoch}","as_of":{as_of},'
        f'"stale":{"true" if stamp.is_stale else "false"},"currency":"USD"'
    )


def head(kind: str, account: str) -> str:
    """Begin a message; the account is the id that the client used, as a JSON string."""
    return f'{{"type":"{kind}","account_id":{account},'


def value_text(worth: Worth) -> str:
    """Write the figures of a message; this runs for every message, hence its plain look."""
    total, day, hundredths, _ = worth
    if total is None or day is None or hundredths is None or total < 0:
        return _rare_value_text(worth)
    sign, minus = ("+", "") if day >= 0 else ("-", "-")
    day, hundredths = abs(day), abs(hundredths)
    value = f"{total // 100}{_CENTS[total % 100]}"
    change = f"{day // 100}{_CENTS[day % 100]}"
    percent = f"{minus}{hundredths // 100}{_CENTS[hundredths % 100]}"
    return (
        f'"total_value":"${value}","today_return":"{sign}${change} ({percent}%)",'
        f'"raw_value":{value},"raw_return":{minus}{change},"raw_return_percent":{percent},'
    )


def tail(stamp: str, unpriced: Sequence[str] = (), *, more: str = "") -> str:
    """End a message; `more` is further members, each with a leading comma."""
    symbols = exact_json.dumps(list(unpriced)) if unpriced else "[]"
    return f'{stamp},"unpriced":{symbols}{more}}}'


def message(kind: str, account: str, worth: Worth, stamp: str, *, more: str = "") -> bytes:
    """Write a whole message."""
    end = tail(stamp, worth.unpriced, more=more)
    return (head(kind, account) + value_text(worth) + end).encode()


def snapshot_part(account: AccountHoldings, book: PriceVectors) -> str:
    """Write what a snapshot tells beyond an update: cash and every position."""
    cash = None if account.cash is None else str(Money.rounded(account.cash))
    positions = [describe(p, book) for p in account.positions if p.quantity]
    return f',"cash":{exact_json.dumps(cash)},"positions":{exact_json.dumps(positions)}'


def describe(position: Position, book: PriceVectors) -> dict[str, Any]:
    """Write one position with its price, if one is known; figures are exact."""
    price, as_of = price_of(position, book)
    close = close_of(position, book)
    return {
        "symbol": position.symbol,
        "quantity": str(Quantity(position.quantity)),
        "average_entry_price": str(Price(position.average_entry_price)),
        "price": None if price is None else str(Price(price)),
        "previous_close": None if close is None else str(Price(close)),
        "market_value": None if price is None else str(market_value(position, price)),
        "as_of": as_of,
    }


def market_value(position: Position, price: Decimal) -> Money:
    """Multiply exactly, and round once."""
    return (Quantity(position.quantity) * Price(price)).to_money()


def price_of(position: Position, book: PriceVectors) -> tuple[Decimal | None, datetime | None]:
    """Tell a position's last price and since when it stands."""
    number = position.number
    if number is None or number >= book.width or not book.nanos[number]:
        return None, None
    return to_decimal(int(book.nanos[number])), moment(int(book.times[number]))


def close_of(position: Position, book: PriceVectors) -> Decimal | None:
    """Tell a position's previous close: the market's, or else the one its broker told."""
    number = position.number
    if number is not None and number < book.width and book.closes[number]:
        return to_decimal(round(float(book.closes[number]) * 1_000_000_000))
    return position.previous_close


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _dollars(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)


def _rare_value_text(worth: Worth) -> str:
    """Write figures of which some are not known, or an account that owes more than it has."""
    total, day, hundredths, _ = worth
    value, change, percent = _number(total), _number(day), _number(hundredths)
    shown = "null" if total is None else f'"{_dollar_text(total)}"'
    share = "" if hundredths is None else f" ({percent}%)"
    sign = "+" if day is not None and day >= 0 else ""
    shown_day = "null" if day is None else f'"{sign}{_dollar_text(day)}{share}"'
    return (
        f'"total_value":{shown},"today_return":{shown_day},'
        f'"raw_value":{value},"raw_return":{change},"raw_return_percent":{percent},'
    )


def _dollar_text(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}${_number(abs(cents))}"


def _number(cents: int | None) -> str:
    if cents is None:
        return "null"
    minus, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{minus}{cents // 100}{_CENTS[cents % 100]}"
