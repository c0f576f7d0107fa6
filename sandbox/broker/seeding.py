"""Give a demonstration account a past: deposits and trades of months, at the prices of then."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from sandbox.answers import Refusal, as_decimal, decimal_text
from sandbox.broker import activities, figures, matching
from sandbox.broker.core import NEW_YORK, VENDOR, Broker
from sandbox.broker.records import ZERO, Account, Order

_MORNING, _NOON = time(9, 31), time(12, 0)
_LOTS = 3
_DAYS_PER_MONTH = 30
_MOST_MONTHS = 60


@dataclass(frozen=True, kw_only=True)
class _Happening:
    """One deposit (`cash`) or one trade (`symbol` and `qty`, negative for a sale)."""

    at: datetime
    cash: Decimal = ZERO
    symbol: str = ""
    qty: Decimal = ZERO


def seed(broker: Broker, account_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """
    Write a past into an account's book, in one of three forms.

    `{"positions": [{"symbol", "qty"}], "cash", "months"}` ends with exactly this today;
    `{"weights": {symbol: share}, "first_deposit", "monthly_deposit", "months"}` invests a plan;
    `{"deposits": [{"date", "amount"}], "trades": [{"date", "symbol", "side", "qty"}]}` says all.

    :raises Refusal: the account, a symbol or a number is not known.
    """
    account = broker.account(account_id)
    if "positions" in body or set(body) <= {"cash", "months"}:
        happenings = _towards(broker, body)
    elif "weights" in body:
        happenings = _by_plan(broker, body)
    else:
        happenings = _as_told(broker, body)
    happenings.sort(key=lambda each: each.at)
    for happening in happenings:
        _apply(broker, account, happening)
    if happenings:
        account.created_at = min(account.created_at, happenings[0].at - timedelta(days=1))
    broker.books.save(account)
    broker.world.effects.record(VENDOR, "account.seeded", account.id, account_id=account.id)
    return {
        "account_id": account.id,
        "cash": decimal_text(account.cash),
        "positions": {
            each.symbol: decimal_text(each.qty) for each in broker.books.held(account.id)
        },
        "activities": len(broker.books.activities.get(account.id, [])),
    }


def _towards(broker: Broker, body: dict[str, Any]) -> list[_Happening]:
    """Buy each position in a few lots over the months, paid by deposits of the same day."""
    days = _days(broker, body)
    happenings = []
    cash = _number(body.get("cash", "0"), "cash")
    if cash:
        happenings.append(_Happening(at=_at(days[0], _MORNING), cash=cash))
    for entry in body.get("positions", []):
        symbol, whole = _symbol(broker, entry), _number(entry.get("qty"), "qty")
        lot = figures.shares(whole / _LOTS)
        for number, qty in enumerate([lot] * (_LOTS - 1) + [whole - lot * (_LOTS - 1)]):
            day = days[number * (len(days) - 1) // _LOTS]
            price = price_at(broker, symbol, _at(day, _NOON))
            happenings += [
                _Happening(at=_at(day, _MORNING), cash=figures.cents(qty * price)),
                _Happening(at=_at(day, _NOON), symbol=symbol, qty=qty),
            ]
    return happenings


def _by_plan(broker: Broker, body: dict[str, Any]) -> list[_Happening]:
    """Deposit once a month and invest it by weight on the same day."""
    days = _days(broker, body)
    first = _number(body.get("first_deposit", "5000"), "first_deposit")
    monthly = _number(body.get("monthly_deposit", "500"), "monthly_deposit")
    weights = {
        _symbol(broker, {"symbol": symbol}): _number(share, "weight")
        for symbol, share in body["weights"].items()
    }
    total = sum(weights.values(), ZERO)
    happenings = []
    for number, day in enumerate(days[::_DAYS_PER_MONTH]):
        amount = first if number == 0 else monthly
        happenings.append(_Happening(at=_at(day, _MORNING), cash=amount))
        for symbol, weight in weights.items():
            price = price_at(broker, symbol, _at(day, _NOON))
            qty = figures.shares((amount * weight / total - figures.CENT) / price)
            happenings.append(_Happening(at=_at(day, _NOON), symbol=symbol, qty=qty))
    return happenings


def _as_told(broker: Broker, body: dict[str, Any]) -> list[_Happening]:
    happenings = []
    for entry in body.get("deposits", []):
        amount = as_decimal(entry.get("amount"))
        if amount is None:
            raise Refusal(400, 40010000, "amount must be a number")
        happenings.append(_Happening(at=_at(_date(entry), _MORNING), cash=amount))
    for entry in body.get("trades", []):
        qty = _number(entry.get("qty"), "qty")
        sign = -1 if entry.get("side") == "sell" else 1
        at = _at(_date(entry), _NOON)
        happenings.append(_Happening(at=at, symbol=_symbol(broker, entry), qty=sign * qty))
    return happenings


def _days(broker: Broker, body: dict[str, Any]) -> list[date]:
    """List the sessions of the past months that are over."""
    months = int(body.get("months", 6))
    if not 0 < months <= _MOST_MONTHS:
        raise Refusal(400, 40010000, f"months must be between 1 and {_MOST_MONTHS}")
    end = figures.today(broker) - timedelta(days=1)
    start = end - timedelta(days=months * _DAYS_PER_MONTH)
    return [session.date for session in broker.world.prices.calendar(start, end)]


def _apply(broker: Broker, account: Account, happening: _Happening) -> None:
    if not happening.symbol:
        kind = "CSD" if happening.cash > 0 else "CSW"
        activities.book_cash(broker, account.id, kind, happening.cash, happening.at, is_told=False)
        return
    price = price_at(broker, happening.symbol, happening.at)
    held = broker.books.position(account.id, happening.symbol).qty
    if held + happening.qty < 0:
        raise Refusal(422, 42210000, f"{happening.symbol} would be sold without being held")
    order = _filled_order(broker, account, happening, price)
    matching.trade(broker, account.id, happening.symbol, happening.qty, price)
    cash = figures.cents(-happening.qty * price)
    activities.book_fill(
        broker,
        order,
        qty=abs(happening.qty),
        price=price,
        cash=cash,
        at=happening.at,
        is_told=False,
    )


def _filled_order(broker: Broker, account: Account, happening: _Happening, price: Decimal) -> Order:
    asset = broker.world.catalogue.get(happening.symbol)
    qty, at = abs(happening.qty), happening.at
    order = Order(
        id=str(uuid.uuid4()),
        client_order_id=f"seed-{uuid.uuid4()}",
        account_id=account.id,
        asset_id=asset.id if asset else "",
        symbol=happening.symbol,
        side="buy" if happening.qty > 0 else "sell",
        type="market",
        time_in_force="day",
        status="filled",
        created_at=at,
        updated_at=at,
        submitted_at=at,
        filled_at=at,
        qty=qty,
        filled_qty=qty,
        filled_value=qty * price,
    )
    broker.books.save(order)
    return order


def price_at(broker: Broker, symbol: str, at: datetime) -> Decimal:
    """
    Give the price of an earlier moment, to the cent.

    :raises Refusal: there is none.
    """
    quote = broker.world.prices.quote(symbol, at)
    if quote is None:
        raise Refusal(422, 42210000, f"there is no price of {symbol}")
    return quote.last.quantize(figures.CENT, ROUND_UP)


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, NEW_YORK).astimezone(UTC)


def _date(entry: dict[str, Any]) -> date:
    try:
        return date.fromisoformat(str(entry.get("date")))
    except ValueError as error:
        raise Refusal(400, 40010000, "date must be like 2026-01-31") from error


def _symbol(broker: Broker, entry: dict[str, Any]) -> str:
    asset = broker.world.catalogue.get(str(entry.get("symbol", "")))
    if asset is None:
        raise Refusal(422, 42210000, f'asset "{entry.get("symbol")}" not found')
    return asset.symbol


def _number(value: object, name: str) -> Decimal:
    number = as_decimal(value)
    if number is None or number < 0:
        raise Refusal(400, 40010000, f"{name} must be a number of at least 0")
    return number
