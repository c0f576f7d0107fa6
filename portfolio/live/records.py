"""One record of what an account is worth, for the socket and for REST alike, as JSON text."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core import exact_json
from core.money import Money, NotAnAmount, Price, Quantity, plain
from market import frames
from market.nanos import NANOS, moment, to_decimal
from portfolio.live.book import PriceVectors, Stamp
from portfolio.live.holdings import AccountHoldings, Position
from portfolio.live.table import Rows
from portfolio.live.valuation import NO_PERCENT, Figures

SNAPSHOT: Final = "snapshot"
UPDATE: Final = "update"
_FLAGS: Final = (
    (frames.HALTED, "halted"),
    (frames.DOUBTED, "doubted"),
    (frames.STALE, "stale"),
)
_PRICE_PLACES: Final = Price.least_places
_TIME_LENGTH: Final = len("2026-01-05T15:30:00.000")
_MOST_TEXTS: Final = 16_384
_CENTS: Final = [f".{cents:02d}" for cents in range(100)]


class Worth(NamedTuple):
    """
    What one account is worth, in whole cents; nothing stands for "not known".

    `unpriced` names what it holds besides and nobody knows a price of. It `is_stale` when a price
    in it is.
    """

    total_cents: int | None
    return_cents: int | None
    percent: int | None  # hundredths
    unpriced: Sequence[str] = ()
    is_stale: bool = False

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


def worths_of(figures: Figures, rows: Rows) -> list[Worth]:
    """Take some accounts' figures out of everybody's; what is unpriced is not among them."""
    percents, is_unknown = figures.percents_of(rows), figures.is_return_unknown[rows]
    is_absurd = figures.are_absurd(rows)
    columns = zip(
        figures.totals[rows].tolist(),
        figures.returns[rows].tolist(),
        percents.tolist(),
        repeat(()),
        repeat(False),  # noqa: FBT003 - a column
        strict=False,
    )
    worths = list(map(Worth._make, columns))
    for index in np.flatnonzero(is_unknown | (percents == NO_PERCENT)):
        is_return_known = not is_unknown[index]
        day = worths[index].return_cents if is_return_known else None
        worths[index] = worths[index]._replace(return_cents=day, percent=None)
    for index in np.flatnonzero(is_absurd):
        worths[index] = NOT_KNOWN
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
    return f'"timestamp":"{_time(at)}","seq":{stamp.seq},"epoch":"{stamp.epoch}","as_of":{as_of}'


def stale_text(*, is_stale: bool) -> str:
    """Write the part of a message that says whether it is of now."""
    return f'"stale":{"true" if is_stale else "false"},"currency":"USD"'


def head(kind: str, account: str) -> str:
    """Begin a message; the account is the id that the client used, as a JSON string."""
    return f'{{"type":"{kind}","account_id":{account},'


def value_text(worth: Worth) -> str:
    """Write the figures of a message."""
    total, day, hundredths, *_ = worth
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


def value_texts(figures: Figures, rows: Rows) -> list[str]:
    """
    Write the figures of many accounts' messages, as `value_text` does for one.

    This runs for every message of every frame: dollars and cents are told apart for all at once.
    """
    totals, returns = figures.totals[rows], figures.returns[rows]
    percents, is_unknown = figures.percents_of(rows), figures.is_return_unknown[rows]
    columns = [part for column in (totals, returns, percents) for part in _halves(column)]
    texts = [
        f'"total_value":"${dollars}{_CENTS[cents]}",'
        f'"today_return":"-${change}{_CENTS[rest]} (-{share}{_CENTS[part]}%)",'
        f'"raw_value":{dollars}{_CENTS[cents]},"raw_return":-{change}{_CENTS[rest]},'
        f'"raw_return_percent":-{share}{_CENTS[part]},'
        if is_loss
        else f'"total_value":"${dollars}{_CENTS[cents]}",'
        f'"today_return":"+${change}{_CENTS[rest]} ({share}{_CENTS[part]}%)",'
        f'"raw_value":{dollars}{_CENTS[cents]},"raw_return":{change}{_CENTS[rest]},'
        f'"raw_return_percent":{share}{_CENTS[part]},'
        for dollars, cents, change, rest, share, part, is_loss in zip(
            *columns, (returns < 0).tolist(), strict=True
        )
    ]
    is_rare = is_unknown | (percents == NO_PERCENT) | (totals < 0) | figures.are_absurd(rows)
    for index in np.flatnonzero(is_rare).tolist():
        texts[index] = value_text(worths_of(figures, rows[[index]])[0])
    return texts


def _halves(hundredths: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Tell whole ones and hundredths apart, without the sign."""
    amounts = np.abs(hundredths)
    whole = amounts // 100
    return whole.tolist(), (amounts - whole * 100).tolist()


def tail(stamp: str, unpriced: Sequence[str] = (), *, is_stale: bool, more: str = "") -> str:
    """End a message; `more` is further members, each with a leading comma."""
    symbols = exact_json.dumps(list(unpriced)) if unpriced else "[]"
    return f'{stamp},{stale_text(is_stale=is_stale)},"unpriced":{symbols}{more}}}'


def message(kind: str, account: str, worth: Worth, stamp: str, *, more: str = "") -> bytes:
    """Write a whole message."""
    end = tail(stamp, worth.unpriced, is_stale=worth.is_stale, more=more)
    return (head(kind, account) + value_text(worth) + end).encode()


def snapshot_part(account: AccountHoldings, book: PriceVectors) -> str:
    """Write what a snapshot tells beyond an update: cash, money on its way, every position."""
    cash = "null" if account.cash is None else _money_text(account.cash)
    return (
        f',"revision":"{revision_of(account, book)}","cash":{cash},'
        f'"pending_deposits":"{account.pending_deposits:.2f}",'
        f'"pending_withdrawals":"{account.pending_withdrawals:.2f}"'
        f"{positions_part(account.positions, book)}"
    )


def positions_part(positions: Sequence[Position], book: PriceVectors) -> str:
    """Write those of some positions that are held."""
    texts = [_position_text(p, book) for p in positions if p.quantity]
    return f',"positions":[{",".join(texts)}]'


def revision_of(account: AccountHoldings, book: PriceVectors) -> str:
    """Name what stays the same in a snapshot while prices move: the holdings, on one day."""
    return f"{account.revision}.{book.day}"


def _position_text(position: Position, book: PriceVectors) -> str:
    """Write one position with its price, if one is known; figures are exact."""
    price, close = price_of(position, book), close_of(position, book)
    entry = plain(position.average_entry_price, least_places=_PRICE_PLACES)
    value = "null" if price is None else _money_text(market_value(position, price.price))
    shown, as_of = ("null", "null") if price is None else (price.text, price.as_of)
    flags = flags_text(position, book)
    return (
        f'{{"symbol":{_symbol_text(position.symbol)},"quantity":"{plain(position.quantity)}",'
        f'"average_entry_price":"{entry}","price":{shown},"previous_close":{close},'
        f'"market_value":{value},"as_of":{as_of},"flags":{flags}}}'
    )


def flags_text(position: Position, book: PriceVectors) -> str:
    """Say what is wrong with a position's price, if anything is."""
    number = position.number
    if number is None or number >= book.width or not book.flags[number]:
        return "[]"
    return exact_json.dumps([word for flag, word in _FLAGS if book.flags[number] & flag])


def market_value(position: Position, price: Price) -> Decimal:
    """Multiply exactly; it is rounded once, when it is written."""
    return (Quantity(position.quantity) * price).times(position.multiplier).amount


def _money_text(amount: Decimal) -> str:
    """Write dollars; what `Money` does not hold is a mistake somewhere, and so not known."""
    try:
        return f'"{Money.rounded(amount)}"'
    except NotAnAmount:
        return "null"


class _Told(NamedTuple):
    """A price, and the texts by which it and its time are told."""

    price: Price
    text: str
    as_of: str


def price_of(position: Position, book: PriceVectors) -> _Told | None:
    """Tell a position's last price and since when it stands."""
    number = position.number
    if number is None or number >= book.width or not book.nanos[number]:
        return None
    return _told(int(book.nanos[number]), int(book.times[number]))


def close_of(position: Position, book: PriceVectors) -> str:
    """Tell a position's previous close: the market's, or else the one its broker told."""
    number = position.number
    if number is not None and number < book.width and book.closes[number]:
        return _price_text(to_decimal(round(float(book.closes[number]) * NANOS)))
    return "null" if position.previous_close is None else _price_text(position.previous_close)


# Those who come back together hold the same few thousand instruments.
@lru_cache(maxsize=_MOST_TEXTS)
def _told(nanos: int, at_ns: int) -> _Told:
    price = to_decimal(nanos)
    return _Told(Price(price), _price_text(price), exact_json.dumps(moment(at_ns)))


@lru_cache(maxsize=_MOST_TEXTS)
def _price_text(price: Decimal) -> str:
    return f'"{plain(price, least_places=_PRICE_PLACES)}"'


@lru_cache(maxsize=_MOST_TEXTS)
def _symbol_text(symbol: str) -> str:
    return exact_json.dumps(symbol)


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")[:_TIME_LENGTH] + "Z"


def _dollars(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)


def _rare_value_text(worth: Worth) -> str:
    """Write figures of which some are not known, or an account that owes more than it has."""
    total, day, hundredths, *_ = worth
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
