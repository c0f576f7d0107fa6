"""Questions about instruments, prices and companies; no customer is in any of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

import redis
import structlog
from django.db import connection

from core import realtime
from core.errors import VendorError
from market import days, frames, gateways, interest, trading_days
from market.errors import PriceStale, PriceUnavailable, UnknownSymbol
from market.facts import NEW_YORK, Session, Snapshot, is_coin, new_york_date
from market.hours import Hours, hours_at
from market.models import Instrument, WantedSymbol
from market.nanos import UNKNOWN, moment, nanoseconds, to_decimal

logger = structlog.get_logger()
FRESH: Final = timedelta(seconds=5)
# A quiet symbol's best bid and ask may stand for a while without being wrong.
FRESH_WHEN_ASKED: Final = timedelta(seconds=60)
_LONGEST_SYMBOL: Final = 24
_session: list[Session] = []
# No objects of rows, since all that the clients of a process hold may be asked for at once.
_LISTED: Final = "SELECT symbol, number, multiplier FROM market_instrument WHERE symbol = ANY(%s)"


@dataclass(frozen=True)
class Quote:
    """
    What one share costs; `bid` and `ask` are known only when they were told just now.

    `traded_at` is when `last` was paid, and `as_of` when any of it was last known to be so.
    """

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal
    previous_close: Decimal | None
    as_of: datetime
    traded_at: datetime | None = None


class Listed(NamedTuple):
    """What valuing needs of an instrument."""

    number: int
    multiplier: Decimal


def get_instrument(*, symbol: str) -> Instrument:
    """
    Return an instrument, asking the broker the first time anybody names it.

    That call is the reason not to use this inside a transaction. What the broker answers is kept.

    :raises UnknownSymbol: neither we nor the broker know it.
    :raises VendorError: we do not know it, and the broker could not be asked.
    """
    name = _name(symbol)
    found = Instrument.objects.filter(symbol=name).first()
    if found is None:
        asset = gateways.get().broker.find_asset(name)
        if asset is not None and asset.symbol == name:
            Instrument.objects.keep([asset])
            found = Instrument.objects.filter(symbol=name).first()
    if found is None:
        raise UnknownSymbol
    return found


def list_instruments(*, symbols: Iterable[str]) -> dict[str, Listed]:
    """Return what valuing needs of the instruments that we know already, by symbol."""
    with connection.cursor() as cursor:
        cursor.execute(_LISTED, [list(symbols)])
        return {symbol: Listed(*figures) for symbol, *figures in cursor.fetchall()}


def list_wanted(*, at: datetime) -> set[str]:
    """List the symbols whose prices somebody wants to follow now."""
    return WantedSymbol.symbols_at(at)


def get_quote(*, symbol: str, at: datetime) -> Quote:
    """
    Return the price of a symbol: the one just published, or else the vendor's own answer.

    :raises UnknownSymbol: there is no such instrument.
    :raises PriceStale: the market is open and the last price is too old to act on.
    :raises PriceUnavailable: nobody can tell a price right now.
    """
    try:
        instrument = get_instrument(symbol=symbol)
    except VendorError as error:
        raise PriceUnavailable from error
    return get_quote_of(instrument, at=at)


def get_quote_of(instrument: Instrument, *, at: datetime) -> Quote:
    """
    Return the price of an instrument that the caller has at hand; see `get_quote`.

    :raises PriceStale: the market is open and the last price is too old to act on.
    :raises PriceUnavailable: nobody can tell a price right now.
    """
    try:
        return _published(instrument, at=at) or _asked(instrument.symbol, at=at)
    except VendorError as error:
        raise PriceUnavailable from error


def get_company(*, ticker: str) -> Mapping[str, Any]:
    """
    Return a company's profile as the vendor writes it.

    :raises UnknownSymbol: the vendor does not know the ticker.
    :raises VendorError: the vendor could not be asked.
    """
    profile = gateways.get().companies.profile(_name(ticker))
    if profile is None:
        raise UnknownSymbol("There is no company with this ticker.")
    return profile


def get_session(*, at: datetime) -> Session:
    """
    Return the broker's word on whether its market is open, asked at most once per change.

    :raises VendorError: the broker could not be asked.
    """
    if not _session or not _session[0].is_good(at=at) or _session[0].asked_at > at:
        _session[:] = [gateways.get().broker.session()]
    return _session[0]


def get_hours(*, at: datetime) -> Hours | None:
    """
    Say whether the market trades now, and when it last closed, or nothing when nobody can tell.

    While it is open this asks no one; otherwise see `business_day`.
    """
    try:
        return hours_at(get_session(at=at), at=at)
    except VendorError as error:
        logger.warning("session.not_read", error=error.code)
        return None


def next_open(*, at: datetime) -> datetime | None:
    """
    Return when the broker's market opens next, or nothing when nobody can tell.

    The calendar says so, with its holidays, half days and changes of the clocks. Should the clock
    of the broker name an earlier moment, such as that of an opening put off, it is that one.
    """
    told = [trading_days.next_open(at)]
    try:
        session = get_session(at=at)
    except VendorError as error:
        logger.warning("session.not_read", error=error.code)
    else:
        told.append(None if session.is_open or session.changes_at <= at else session.changes_at)
    return min((moment for moment in told if moment is not None), default=None)


def business_day(at: datetime, *, cutoff: time) -> date | None:
    """
    Return the broker's working day to which a moment belongs, or nothing when nobody can tell.

    Before the cut-off of a working day, in New York, that is the day itself; else it is the next.
    The broker may be asked, so this has no place inside a transaction.
    """
    there = at.astimezone(NEW_YORK)
    is_working = is_trading_day(there.date())
    if is_working is None:
        return None
    if is_working and there.time() < cutoff:
        return there.date()
    return add_business_days(there.date(), 1)


def add_business_days(day: date, count: int) -> date | None:
    """Return the working day so many after a date, or nothing; see `business_day`."""
    if count < 1:
        raise ValueError("Only days to come can be added.")
    days = trading_days.following(day, count)
    return None if days is None else days[-1]


def settlement_day(day: date) -> date | None:
    """
    Return the day on which what is traded on a date settles, or nothing; see `business_day`.

    Banks may have a holiday on a day on which the market has none, so this is the broker's word.
    """
    return trading_days.settlement_day(day)


def is_trading_day(day: date) -> bool | None:
    """Say whether the broker's market has a session on a date, or nothing; see `business_day`."""
    return trading_days.is_trading_day(day)


def closing_of(day: date) -> datetime | None:
    """Return when a date's session closes, or nothing; see `business_day`."""
    return trading_days.closing_of(day)


def read_prices(*, numbers: Collection[int]) -> frames.Frame | None:
    """
    Return the published prices of these instruments, or nothing when none was ever published.

    :raises PriceUnavailable: Redis is away, or holds something else.
    """
    names = [frames.HEAD_FIELD, *(str(number).encode() for number in sorted(numbers))]
    try:
        values: list[Any] = realtime.connection().hmget(frames.SNAPSHOT_KEY, names)
        found = {n: value for n, value in zip(names, values, strict=True) if value is not None}
        return frames.decode_snapshot(found)
    except (redis.RedisError, frames.NotAFrame) as error:
        raise PriceUnavailable("Prices are not reachable right now.") from error


def is_fresh(frame: frames.Frame, *, at: datetime) -> bool:
    """Say whether the publisher is at work and something of what it follows is live."""
    return not frame.is_stale and is_recent(frame, at=at)


def is_recent(frame: frames.Frame, *, at: datetime) -> bool:
    """Say whether the publisher is at work, whatever it says."""
    return frame.sent_ms * 1_000_000 >= nanoseconds(at - FRESH)


def ask_prices(*, symbols: Collection[str], at: datetime) -> Mapping[str, Snapshot]:
    """
    Ask the vendor for the prices of many symbols at once; those it does not know lack.

    :raises VendorError: it could not be asked, neither about shares nor about coins.
    """
    coins = sorted(symbol for symbol in symbols if is_coin(symbol))
    shares = sorted(set(symbols).difference(coins))
    found: dict[str, Snapshot] = {}
    failure: VendorError | None = None
    for some in filter(None, (shares, coins)):
        try:
            found |= gateways.get().data.snapshots(some, today=new_york_date(at))
        except VendorError as error:
            failure = error
    if failure is not None and not found:
        raise failure
    return found


def _name(symbol: str) -> str:
    """Write a symbol as everybody does; what cannot be one never reaches database or vendor."""
    name = symbol.strip()
    # Judged before the capitals: some letters of other scripts have ASCII ones.
    if not (0 < len(name) <= _LONGEST_SYMBOL and name.isascii() and name.isprintable()):
        raise UnknownSymbol
    return name.upper()


def _published(instrument: Instrument, *, at: datetime) -> Quote | None:
    """Read the published price, if it and its publisher are fresh."""
    try:
        values: list[Any] = realtime.connection().hmget(
            frames.SNAPSHOT_KEY, [frames.HEAD_FIELD, str(instrument.number)]
        )
        interest.note(instrument.symbol)
        head_data, row_data = values
        if head_data is None or row_data is None:
            return None
        head, row = frames.decode(head_data), frames.read_row(row_data)
    except (redis.RedisError, frames.NotAFrame) as error:
        logger.warning("prices.not_read", error=type(error).__name__)
        return None
    since_ns, as_of_ns = nanoseconds(at - FRESH), max(row.at_ns, row.quoted_ns)
    is_current = row.price != UNKNOWN and as_of_ns >= since_ns
    # Of a price that is doubted, or at which nobody may trade, the vendor itself has to be asked.
    if row.flags or not is_current or not is_fresh(head, at=at):
        return None
    is_quoted = row.quoted_ns >= since_ns
    is_close_todays = row.close != UNKNOWN and head.day in {0, days.day_at(at)}
    return Quote(
        symbol=instrument.symbol,
        bid=to_decimal(row.bid) if is_quoted else None,
        ask=to_decimal(row.ask) if is_quoted else None,
        last=to_decimal(row.price),
        previous_close=to_decimal(row.close) if is_close_todays else None,
        as_of=moment(as_of_ns),
        traded_at=moment(row.at_ns),
    )


def _asked(symbol: str, *, at: datetime) -> Quote:
    found = gateways.get().data.snapshots([symbol], today=new_york_date(at)).get(symbol)
    if found is None or found.last is None or found.as_of is None:
        raise PriceUnavailable
    if found.as_of < at - FRESH_WHEN_ASKED and (is_coin(symbol) or get_session(at=at).is_open):
        raise PriceStale
    return Quote(
        symbol=symbol,
        bid=found.bid,
        ask=found.ask,
        last=found.last,
        previous_close=found.previous_close,
        as_of=found.as_of,
        traded_at=found.last_at,
    )
