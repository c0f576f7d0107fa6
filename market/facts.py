"""What vendors tell about instruments, sessions and prices, in our own words."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Asset:
    """An instrument as the broker describes it."""

    broker_asset_id: str
    symbol: str
    name: str = ""
    exchange: str = ""
    asset_class: str = ""
    status: str = ""
    tradable: bool = False
    fractionable: bool = False


@dataclass(frozen=True)
class Session:
    """The broker's word on whether its market is open, good until `changes_at`."""

    asked_at: datetime
    is_open: bool
    changes_at: datetime

    def is_good(self, *, at: datetime) -> bool:
        """Say whether nothing can have changed since the broker was asked."""
        return at < self.changes_at


@dataclass(frozen=True)
class Day:
    """A day of the broker's calendar; `settles_on` is when what is traded on it settles."""

    on: date
    opens_at: datetime
    closes_at: datetime
    settles_on: date | None


@dataclass(frozen=True)
class Snapshot:
    """The latest prices of one symbol; what the vendor does not know is `None`."""

    symbol: str
    last: Decimal | None
    last_at: datetime | None
    bid: Decimal | None
    ask: Decimal | None
    quoted_at: datetime | None
    previous_close: Decimal | None

    @property
    def as_of(self) -> datetime | None:
        """The moment of the newest of its parts."""
        return max((at for at in (self.last_at, self.quoted_at) if at), default=None)


class Trade(NamedTuple):
    """
    A trade as the socket reports it, unchecked.

    The price is the vendor's float and the time nanoseconds since 1970, if they are what they
    should be: the price book judges them.
    """

    symbol: str
    price: object
    at_ns: object


class BestPrices(NamedTuple):
    """The best bid and ask as the socket reports them, unchecked like a `Trade`."""

    symbol: str
    bid: object
    ask: object
    at_ns: object


class Bar(NamedTuple):
    """
    The last price of a minute as the vendor has settled on it, unchecked like a `Trade`.

    `at_ns` is when the minute began. One that is `updated` replaces what was told of it before.
    """

    symbol: str
    close: object
    at_ns: object
    is_updated: bool = False


class Band(NamedTuple):
    """Between which prices the exchange lets a symbol trade for now (limit up, limit down)."""

    symbol: str
    low: object
    high: object
    at_ns: object


class Corrected(NamedTuple):
    """An earlier trade was corrected or taken back: what we hold may be wrong."""

    symbol: str


class Halted(NamedTuple):
    """The exchange has stopped the trading of a symbol, or lets it go on."""

    symbol: str
    is_halted: bool


class Covered(NamedTuple):
    """The vendor's word on which symbols it sends; the whole of them, each time."""

    symbols: frozenset[str]


class Refused(NamedTuple):
    """The vendor refuses something but keeps the connection."""

    code: int


News = Trade | BestPrices | Bar | Band | Corrected | Halted | Covered | Refused


def read_time(text: object) -> datetime | None:
    """Read a vendor's RFC 3339 time; one that cannot be read is as good as none."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)  # keeps microseconds, drops what is finer
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def read_price(value: object) -> Decimal | None:
    """Read a vendor's price; zero and below mean that there is none."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        return None
    try:
        price = Decimal(value)
    except ArithmeticError:
        return None
    return price if price.is_finite() and price > 0 else None


def is_coin(symbol: str) -> bool:
    """Say whether a symbol is that of a coin: no other has a slash."""
    return "/" in symbol


def new_york_date(at: datetime) -> date:
    """Return the exchange's calendar date of a moment."""
    return at.astimezone(NEW_YORK).date()
