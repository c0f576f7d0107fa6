"""What an account was worth over time, from its book and the prices of then."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from sandbox.answers import Refusal
from sandbox.broker import figures
from sandbox.broker.core import NEW_YORK, Broker
from sandbox.broker.events import read_time
from sandbox.broker.records import ZERO, Account, Activity

_MINUTES = {"1Min": 1, "5Min": 5, "15Min": 15, "1H": 60}
_DAYS = {"D": 1, "W": 7, "M": 30, "A": 365}
_LONGEST_INTRADAY = timedelta(days=30)
_MOST_POINTS = 2000
_MOST_KNOWN_PRICES = 100_000
_CASH_FLOWS = ("CSD", "CSW")
_RATIO = Decimal("0.000001")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One moment of the history, and what flowed in or out since the one before."""

    at: datetime
    equity: Decimal
    flows: dict[str, Decimal]

    @property
    def net_flow(self) -> Decimal:
        return sum(self.flows.values(), ZERO)


async def show(broker: Broker, request: Request) -> Any:
    """Answer equity, profit and cash flows over a period."""
    account = broker.account(request.path_params["account_id"])
    query = request.query_params
    timeframe = query.get("timeframe") or "1D"
    start, end = _period(broker, account, query)
    if timeframe == "1D":
        moments = _days(broker, start, end)
    elif timeframe in _MINUTES:
        moments = _minutes(broker, start, end, _MINUTES[timeframe])
    else:
        raise Refusal(422, 40010001, f"invalid timeframe {timeframe!r}")
    base, points = _follow(broker, account, start, moments)
    return _answer(timeframe, start, base, points)


def _period(broker: Broker, account: Account, query: Any) -> tuple[datetime, datetime]:
    now = broker.now()
    end_text = query.get("end") or query.get("date_end")
    end = min(read_time(end_text, is_end=True), now) if end_text else now
    if start_text := query.get("start"):
        return min(read_time(start_text), end), end
    return min(_begin(account, query.get("period") or "1M", end), end), end


def _begin(account: Account, period: str, end: datetime) -> datetime:
    if period == "all":
        return account.created_at
    number, unit = period[:-1], period[-1:]
    if unit not in _DAYS or not number.isdigit():
        raise Refusal(422, 40010001, f"invalid period {period!r}")
    return end - timedelta(days=int(number) * _DAYS[unit])


def _days(broker: Broker, start: datetime, end: datetime) -> list[datetime]:
    """List the closes of the period; the running day counts as of now."""
    first, last = start.astimezone(NEW_YORK).date(), end.astimezone(NEW_YORK).date()
    sessions = broker.world.prices.calendar(first, last)
    return [min(session.close, end) for session in sessions if session.open <= end]


def _minutes(broker: Broker, start: datetime, end: datetime, minutes: int) -> list[datetime]:
    if end - start > _LONGEST_INTRADAY:
        raise Refusal(422, 40010001, "intraday timeframes are limited to 30 days")
    step = timedelta(minutes=minutes)
    begin = start.replace(minute=0, second=0, microsecond=0)
    at = begin + step * -((begin - start) // step)  # the first whole step not before the start
    found: list[datetime] = []
    while at <= end:
        if broker.world.prices.is_open(at):
            found.append(at)
        at += step
    return found[-_MOST_POINTS:]


def _follow(
    broker: Broker, account: Account, start: datetime, moments: Sequence[datetime]
) -> tuple[Decimal, list[Point]]:
    """Walk through the book once and value the account at each moment."""
    lines = iter(broker.books.activities.get(account.id, []))
    state = _State()
    waiting = state.read_until(lines, None, start)
    state.flows.clear()
    base = state.value(broker, start)
    points = []
    for at in moments:
        waiting = state.read_until(lines, waiting, at)
        points.append(Point(at=at, equity=state.value(broker, at), flows=dict(state.flows)))
        state.flows.clear()
    return base, points


class _State:
    """Cash and shares as of one line of the book."""

    def __init__(self) -> None:
        self.cash = ZERO
        self.held: dict[str, Decimal] = {}
        self.flows: dict[str, Decimal] = {}

    def read_until(
        self, lines: Iterator[Activity], waiting: Activity | None, at: datetime
    ) -> Activity | None:
        """Take in the lines up to a moment; gives the first one behind it."""
        line = waiting or next(lines, None)
        while line is not None and line.at <= at:
            self._take(line)
            line = next(lines, None)
        return line

    def _take(self, line: Activity) -> None:
        self.cash += line.moved
        if line.activity_type in _CASH_FLOWS:
            known = self.flows.get(line.activity_type, ZERO)
            self.flows[line.activity_type] = known + line.moved
        if line.symbol is not None:
            self.held[line.symbol] = self.held.get(line.symbol, ZERO) + line.signed_qty

    def value(self, broker: Broker, at: datetime) -> Decimal:
        """Add cash and shares at the prices of a moment."""
        worth = (
            figures.cents(qty * _price(broker, symbol, at))
            for symbol, qty in self.held.items()
            if qty
        )
        return self.cash + sum(worth, ZERO)


def _price(broker: Broker, symbol: str, at: datetime) -> Decimal:
    if at >= broker.now():
        return figures.price_of(broker, symbol)
    known = broker.past_prices.get((symbol, at))
    if known is None:
        if len(broker.past_prices) >= _MOST_KNOWN_PRICES:
            broker.past_prices.clear()
        known = broker.past_prices[symbol, at] = _past_price(broker, symbol, at)
    return known


def _past_price(broker: Broker, symbol: str, at: datetime) -> Decimal:
    """Give the close when the moment is one, else the price of that moment."""
    prices = broker.world.prices
    session = prices.sessions.on(at.astimezone(NEW_YORK).date())
    if session is not None and session.close == at:
        close = prices.close_on(symbol, session.date)
        if close is not None:
            return close
    quote = prices.quote(symbol, at)
    return ZERO if quote is None else quote.last


def _answer(timeframe: str, start: datetime, base: Decimal, points: list[Point]) -> dict[str, Any]:
    profits, ratios = [], []
    gained, invested, before = ZERO, base, base
    for point in points:
        gained += point.equity - before - point.net_flow
        invested += max(point.net_flow, ZERO)
        before = point.equity
        profits.append(float(gained))
        ratios.append(float((gained / invested).quantize(_RATIO)) if invested else 0.0)
    kinds = sorted({kind for point in points for kind in point.flows})
    return {
        "timestamp": [_timestamp(point, timeframe) for point in points],
        "equity": [float(point.equity) for point in points],
        "profit_loss": profits,
        "profit_loss_pct": ratios,
        "base_value": float(base),
        "base_value_asof": _day_before(start).isoformat(),
        "timeframe": timeframe,
        "cashflow": {
            kind: [float(point.flows.get(kind, ZERO)) for point in points] for kind in kinds
        },
    }


def _timestamp(point: Point, timeframe: str) -> int:
    """Label a day with its first second, as this vendor does, and a minute with itself."""
    if timeframe != "1D":
        return int(point.at.timestamp())
    day = point.at.astimezone(NEW_YORK)
    return int(day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())


def _day_before(at: datetime) -> date:
    return at.astimezone(NEW_YORK).date() - timedelta(days=1)
