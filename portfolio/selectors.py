"""Questions about what an account is worth; each says whose it is asking for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from sys import intern
from typing import Any
from uuid import UUID

from accounts import selectors as accounts
from core import exact_json
from core.auth import SYSTEM, Principal
from core.errors import CleraError, NotFound
from funding import selectors as funding
from market import selectors as market
from market.errors import PriceUnavailable
from market.facts import NEW_YORK
from portfolio.live import records
from portfolio.live.board import Board
from portfolio.live.holdings import AccountHoldings, Position
from portfolio.live.records import Worth
from trading import selectors as trading

ZERO = Decimal(0)


@dataclass(frozen=True)
class LiveValue:
    """What an account is worth now, with the record exactly as sockets send it."""

    account_id: UUID
    holdings: AccountHoldings
    worth: Worth
    as_of: datetime | None
    is_stale: bool
    record: Mapping[str, Any]


def load_holdings(
    *, account_ids: Collection[UUID], at: datetime, principal: Principal = SYSTEM
) -> dict[UUID, AccountHoldings]:
    """Read what accounts hold, with today's part of it; one never read has no known cash."""
    told = trading.holdings_of(account_ids=account_ids, principal=principal)
    traded = trading.traded_since(
        account_ids=account_ids, since=_start_of_day(at), principal=principal
    )
    held = {p.symbol for holdings in told.values() for p in holdings.positions}
    numbers = _numbers(held | {symbol for today in traded.values() for symbol in today})
    return {
        account_id: AccountHoldings(
            account_id=account_id,
            cash=told[account_id].cash if account_id in told else None,
            positions=_positions(told.get(account_id), traded.get(account_id, {}), numbers),
        )
        for account_id in account_ids
    }


def get_value(*, principal: Principal, account_id: str | UUID, at: datetime) -> LiveValue:
    """
    Return what an account is worth now, as its socket would tell it.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    holdings = load_holdings(account_ids=[account.pk], at=at, principal=principal)[account.pk]
    board = _board(holdings, at=at)
    stamp = board.stamp
    text = records.message(
        records.SNAPSHOT,
        exact_json.dumps(str(account_id)),
        board.worth(account.pk),
        records.stamp_text(stamp, at=at),
        more=records.snapshot_part(holdings, board.book),
    )
    return LiveValue(
        account_id=account.pk,
        holdings=holdings,
        worth=board.worth(account.pk),
        as_of=stamp.as_of,
        is_stale=stamp.is_stale,
        record=exact_json.loads(text),
    )


def get_summary(
    *, principal: Principal, account_id: str | UUID | None = None, at: datetime
) -> dict[str, Any]:
    """
    Describe an account for an agent: value, cash, today's return, positions with their weights.

    Figures are text; what is not known is `None`. Without an id it is the principal's own account.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    value = get_value(principal=principal, account_id=account_id or _only_account(principal), at=at)
    total = value.worth.total
    return {
        "value": _text(total),
        "cash": value.record["cash"],
        "day_return": _text(value.worth.day_return),
        "day_return_percent": _text(value.worth.day_return_percent),
        "currency": "USD",
        "as_of": value.record["as_of"],
        "is_stale": value.is_stale,
        "positions": [
            {**position, "weight_percent": _weight(position["market_value"], total)}
            for position in value.record["positions"]
        ],
        "unpriced": list(value.worth.unpriced),
    }


@dataclass(frozen=True)
class FundingStatus:
    """How an account is funded and what that has become; in dollars, nothing where not known."""

    funding: funding.FundingSummary
    cash: Decimal | None
    value: Decimal | None
    unpriced: Sequence[str]

    @property
    def is_funded(self) -> bool:
        """Say whether any money has ever arrived and not all of it left."""
        return self.funding.deposited > 0 or (self.cash or ZERO) > 0 or (self.value or ZERO) > 0


def get_funding_status(
    *, principal: Principal, account_id: str | UUID, at: datetime
) -> FundingStatus:
    """
    Return an account's deposits and withdrawals with its cash and value of now.

    Cash and value are the same as in `get_value`, so that nobody sees two totals.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    summary = funding.funding_summary(principal=principal, account_id=account_id)
    now = get_value(principal=principal, account_id=account_id, at=at)
    return FundingStatus(summary, now.holdings.cash, now.worth.total, now.worth.unpriced)


def _only_account(principal: Principal) -> UUID:
    own = accounts.list_accounts(principal=principal)
    if not own:
        raise NotFound("There is no account yet.")
    return own[0].pk


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _weight(market_value: str | None, total: Decimal | None) -> str | None:
    if market_value is None or not total:
        return None
    return format((Decimal(market_value) / total * 100).quantize(Decimal("0.01")), "f")


def _board(holdings: AccountHoldings, *, at: datetime) -> Board:
    """Value one account from the published prices, asking the vendor for those that are missing."""
    board = Board()
    numbers = {p.number for p in holdings.positions if p.number is not None}
    try:
        published = market.read_prices(numbers=numbers)
    except PriceUnavailable:
        published = None
    if published is not None:
        board.replace(published)
        board.is_feed_lost = not market.is_fresh(published, at=at)
    board.put([holdings])
    missing = records.unpriced_of(holdings, board.book)
    if missing:
        _ask(board, holdings, missing, at=at)
        board.put([holdings])
    return board


def _ask(
    board: Board, holdings: AccountHoldings, symbols: Collection[str], *, at: datetime
) -> None:
    try:
        asked = market.ask_prices(symbols=symbols, at=at)
    except CleraError:
        return  # they stay unpriced, and the answer says so
    for position in holdings.positions:
        told = asked.get(position.symbol)
        if told is not None and position.number is not None:
            board.book.offer(position.number, told)


def _numbers(symbols: Iterable[str]) -> dict[str, int]:
    """Find the instruments of symbols, asking the broker about new ones; unknown ones lack."""
    wanted = set(symbols)
    known = {s: row.number for s, row in market.list_instruments(symbols=wanted).items()}
    for symbol in wanted - known.keys():
        try:
            known[symbol] = market.get_instrument(symbol=symbol).number
        except CleraError:
            continue  # listed as unpriced until somebody knows it
    return known


def _positions(
    holdings: trading.Holdings | None,
    traded: Mapping[str, trading.Traded],
    numbers: Mapping[str, int],
) -> tuple[Position, ...]:
    """Put what is held and what was traded today together, symbol by symbol."""
    held = {} if holdings is None else {p.symbol: p for p in holdings.positions}
    found = []
    for symbol in sorted(held.keys() | traded.keys()):
        line, today = held.get(symbol), traded.get(symbol)
        quantity = line.quantity if line else ZERO
        found.append(
            Position(
                symbol=intern(symbol),
                number=numbers.get(symbol),
                quantity=quantity,
                average_entry_price=line.average_entry_price if line else ZERO,
                opening_quantity=quantity - today.quantity if today else quantity,
                spent_today=today.spent if today else ZERO,
                previous_close=line.previous_close if line else None,
            )
        )
    return tuple(found)


def _start_of_day(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(NEW_YORK).date(), time(), tzinfo=NEW_YORK)
