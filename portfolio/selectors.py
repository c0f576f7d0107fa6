"""Questions about what an account is worth; each says whose it is asking for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from sys import intern
from typing import Any, Final
from uuid import UUID

from accounts import selectors as accounts
from core import exact_json
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, NotFound, VendorRejected
from funding import selectors as funding
from market import days
from market import selectors as market
from market.errors import PriceUnavailable, UnknownSymbol
from market.selectors import Listed
from portfolio.live import records
from portfolio.live.board import Board
from portfolio.live.holdings import AccountHoldings, Position
from portfolio.live.records import Worth
from trading import selectors as trading

ZERO, ONE = Decimal(0), Decimal(1)
_NOT_HELD: Final = (ZERO, ZERO, None)
_NOT_LISTED: Final = (None, ONE)


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
    *, account_ids: Collection[UUID], at: datetime, day: int = 0, principal: Principal = SYSTEM
) -> dict[UUID, AccountHoldings]:
    """
    Read what accounts hold, with today's part of it; one never read has no known cash.

    Today is the day of the published previous closes, counted as in `market.days`. Should nobody
    have told it, it is that of the moment.
    """
    day = day or days.day_at(at)
    since = days.start_of(day)
    with acting_as(principal):
        told, changed = trading.holdings_today(account_ids=account_ids, since=since)
        moving = funding.pending_of(account_ids=account_ids)
    # Outside of the transaction: of a symbol that is new to us, the broker is asked.
    held = {p.symbol for holdings in told.values() for p in holdings.positions}
    found = find_instruments(held.union(*changed.values()))
    positions = {
        account_id: _positions(told.get(account_id), changed.get(account_id, {}), found.listed)
        for account_id in account_ids
    }
    return {
        account_id: AccountHoldings(
            account_id=account_id,
            cash=told[account_id].cash if account_id in told else None,
            positions=positions[account_id],
            pending_deposits=moving[account_id].into if account_id in moving else ZERO,
            pending_withdrawals=moving[account_id].out_of if account_id in moving else ZERO,
            day=day,
            is_settled=found.is_answered
            or all(p.number is not None for p in positions[account_id]),
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
    if board.book.day not in {0, days.day_at(at)}:  # the publisher's clock differs, or it sleeps
        holdings = load_holdings(
            account_ids=[account.pk], at=at, day=board.book.day, principal=principal
        )[account.pk]
        board = _board(holdings, at=at)
    stamp, worth = board.stamp, board.worth(account.pk)
    text = records.message(
        records.SNAPSHOT,
        exact_json.dumps(str(account_id)),
        worth,
        records.stamp_text(stamp, at=at),
        more=records.snapshot_part(holdings, board.book),
    )
    return LiveValue(
        account_id=account.pk,
        holdings=holdings,
        worth=worth,
        as_of=stamp.as_of,
        is_stale=worth.is_stale,
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
        board.is_feed_lost = not market.is_recent(published, at=at)
    board.put([holdings])
    missing = [*records.unpriced_of(holdings, board.book), *_sold_without_close(holdings, board)]
    if missing:
        _ask(board, holdings, missing, at=at)
        board.put([holdings])
    return board


def _sold_without_close(holdings: AccountHoldings, board: Board) -> list[str]:
    """Name what was sold out today and nobody follows any more, though its close counts today."""
    return [
        p.symbol
        for p in holdings.positions
        if not p.quantity
        and p.opening_quantity
        and p.number is not None
        and not board.book.closes[p.number]
    ]


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


@dataclass(frozen=True)
class Found:
    """Instruments by symbol; unless it `is_answered`, one that lacks may be known later."""

    listed: Mapping[str, Listed]
    is_answered: bool


def find_instruments(symbols: Iterable[str]) -> Found:
    """
    Find the instruments of symbols, asking the broker about new ones.

    One that does not answer is asked no more: everybody whose holdings are read here waits for it.
    A clear no is an answer, and about one name only.
    """
    wanted, is_answered = set(symbols), True
    known = market.list_instruments(symbols=wanted)
    for symbol in sorted(wanted - known.keys()):
        try:
            new = market.get_instrument(symbol=symbol)
        except UnknownSymbol:
            continue  # listed as unpriced until somebody knows it
        except VendorRejected:
            is_answered = False
        except CleraError:
            is_answered = False
            break
        else:
            known[symbol] = Listed(new.number, new.multiplier)
    # One object for nearly all: a process keeps what the accounts of all its sockets hold.
    listed = {
        symbol: one._replace(multiplier=ONE) if one.multiplier == ONE else one
        for symbol, one in known.items()
    }
    return Found(listed, is_answered)


def _positions(
    holdings: trading.Holdings | None,
    changed: Mapping[str, trading.Traded],
    listed: Mapping[str, Listed],
) -> tuple[Position, ...]:
    """Put what is held and what was traded today together, symbol by symbol."""
    held = {} if holdings is None else {p.symbol: p for p in holdings.positions}
    found = []
    for symbol in sorted(held.keys() | changed.keys()):
        quantity, entry_price, close = held[symbol][1:] if symbol in held else _NOT_HELD
        today, (number, multiplier) = changed.get(symbol), listed.get(symbol, _NOT_LISTED)
        found.append(
            Position(
                intern(symbol),
                number,
                quantity,
                entry_price,
                opening_quantity=quantity - today.quantity if today else quantity,
                spent_today=today.spent if today else ZERO,
                previous_close=close,
                multiplier=multiplier,
            )
        )
    return tuple(found)
