"""What companies do to shares that somebody holds: splits, dividends, new names, spin-offs."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from sandbox.answers import Refusal, as_bool, as_decimal, decimal_text
from sandbox.broker import activities, bookings, figures, matching
from sandbox.broker.core import NEW_YORK, VENDOR, Broker
from sandbox.broker.records import ZERO, Activity, Position

_BAD, _IMPOSSIBLE = 40010000, 42210000
_ONE = Decimal(1)


@dataclass(kw_only=True)
class _Action:
    """One action on one position, and the lines that it has booked so far."""

    broker: Broker
    account_id: str
    symbol: str
    at: datetime
    body: dict[str, Any]
    is_told: bool
    group_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    details: dict[str, Any] = field(default_factory=dict)
    lines: list[Activity] = field(default_factory=list)

    @property
    def position(self) -> Position:
        return self.broker.books.position(self.account_id, self.symbol)

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        number = as_decimal(self.body.get(name, default))
        if number is None or number <= 0:
            raise Refusal(400, _BAD, f"{name} must be a positive number")
        return number

    def describe(self, **details: object) -> None:
        """Say what every line of this action tells of it."""
        day = self.at.astimezone(NEW_YORK).date().isoformat()
        dates = dict.fromkeys(("ex_date", "record_date", "system_date", "payable_date"), day)
        told = {
            name: decimal_text(value) if isinstance(value, Decimal) else value
            for name, value in details.items()
        }
        self.details = {"ca_id": self.group_id, "group_id": self.group_id} | told | dates

    def pay(self, activity_type: str, sub_type: str, amount: Decimal, **more: Any) -> None:
        """Book money alone."""
        self._book(activity_type, sub_type, cash=figures.cents(amount), **more)

    def move(
        self, activity_type: str, sub_type: str, qty: Decimal, cost: Decimal, **more: Any
    ) -> None:
        """Book shares that come or go, with what they cost; without `symbol`, the action's own."""
        if not qty:
            return
        symbol = more.setdefault("symbol", self.symbol)
        position = self.broker.books.position(self.account_id, symbol)
        position.qty += qty
        position.cost = position.cost + cost if position.qty else ZERO
        self.broker.books.save(position)
        more.setdefault("cash", ZERO)
        self._book(activity_type, sub_type, qty=qty, cost=cost, moves_shares=True, **more)

    def _book(self, activity_type: str, sub_type: str, **more: Any) -> None:
        line = Activity(
            **{"symbol": self.symbol} | more,
            id=activities.new_id(self.at),
            account_id=self.account_id,
            activity_type=activity_type,
            sub_type=sub_type,
            at=self.at,
            group_id=self.group_id,
            details=self.details,
        )
        activities.book(self.broker, line, is_told=self.is_told)
        self.lines.append(line)


def act(broker: Broker, account_id: str, body: Any) -> list[Activity]:
    """
    Let a company's action change what an account holds, and give the lines that tell of it.

    `kind` is `split`, `cash_dividend`, `stock_dividend`, `symbol_change` or `spin_off`.

    :raises Refusal: the kind is unknown, a number makes no sense, or nothing is held.
    """
    account = broker.account(account_id)
    if not isinstance(body, dict) or body.get("kind") not in _KINDS:
        raise Refusal(400, _BAD, f"kind must be one of {', '.join(_KINDS)}")
    asset = broker.world.catalogue.get(str(body.get("symbol") or ""))
    if asset is None or asset.symbol not in broker.books.positions.get(account.id, {}):
        raise Refusal(422, _IMPOSSIBLE, "the account holds no shares of this symbol")
    action = _Action(
        broker=broker,
        account_id=account.id,
        symbol=asset.symbol,
        at=bookings.moment(broker, body),
        body=body,
        is_told=body.get("is_told", True) is not False,
    )
    _KINDS[body["kind"]](action)
    for line in action.lines:
        broker.world.effects.record(
            VENDOR,
            "corporate_action.booked",
            line.id,
            account_id=account.id,
            amount=line.cash,
            qty=line.qty,
            symbol=line.symbol,
        )
    return action.lines


def _split(action: _Action) -> None:
    """Give `new_rate` shares for each `old_rate` (1); the cost stays what it was."""
    old_rate, new_rate = action.number("old_rate", _ONE), action.number("new_rate")
    if old_rate == new_rate:
        raise Refusal(400, _BAD, "new_rate must differ from old_rate")
    in_lieu = _price_in_lieu(action, old_rate / new_rate)
    sub_type = "FSPLIT" if new_rate > old_rate else "RSPLIT"
    old, cost, price = action.position.qty, action.position.cost, action.position.average_entry
    new = figures.shares(old * new_rate / old_rate)
    new_price = figures.shares(price * old_rate / new_rate)
    action.describe(
        symbol=action.symbol, old_qty=old, new_qty=new, old_rate=old_rate, new_rate=new_rate
    )
    _cancel_orders(action)
    words = f"{old_rate} for {new_rate}, from {decimal_text(old)} to {decimal_text(new)} shares"
    action.move(
        "SPLIT", sub_type, -old, -cost, price=figures.shares(price), description=f"REMOVE, {words}"
    )
    action.move("SPLIT", sub_type, new, cost, price=new_price, description=f"ADD, {words}")
    fraction = new - new.to_integral_value(ROUND_DOWN)
    if in_lieu is not None and fraction:
        _pay_fraction(action, fraction, cost * fraction / new, in_lieu)


def _price_in_lieu(action: _Action, dearer: Decimal) -> Decimal | None:
    """Tell what a new share is worth, by `price` or by the market, if fractions shall be paid."""
    if not as_bool(action.body.get("cash_in_lieu", False)):
        return None
    return action.number("price", figures.price_of(action.broker, action.symbol) * dearer)


def _pay_fraction(action: _Action, fraction: Decimal, cost: Decimal, price: Decimal) -> None:
    action.move(
        "CIL",
        "",
        -fraction,
        -cost,
        price=figures.shares(price),
        cash=figures.cents(fraction * price),
        description="Cash in lieu of a fraction of a share",
    )


def _cash_dividend(action: _Action) -> None:
    """Pay `rate` dollars for each share."""
    rate, qty = action.number("rate"), action.position.qty
    amount = qty * rate
    action.describe(symbol=action.symbol, entitled_qty=qty, rate=rate, cash_payout=amount)
    action.pay("DIV", "CDIV", amount, qty=qty, price=rate, description="Cash dividend")


def _stock_dividend(action: _Action) -> None:
    """Give `rate` new shares for each, which cost nothing."""
    rate, qty = action.number("rate"), action.position.qty
    paid = figures.shares(qty * rate)
    action.describe(
        symbol=action.symbol,
        entitled_qty=qty,
        paid_qty=paid,
        new_qty=qty + paid,
        rate=_ONE + rate,
    )
    action.move("DIV", "SDIV", paid, ZERO, price=ZERO, description="Stock dividend")


def _symbol_change(action: _Action) -> None:
    """Take all shares out and bring them back as `new_symbol`."""
    new_symbol = _other_symbol(action)
    qty, cost = action.position.qty, action.position.cost
    price = figures.shares(action.position.average_entry)
    action.describe(old_symbol=action.symbol, new_symbol=new_symbol, position_qty=qty)
    _cancel_orders(action)
    words = f"{action.symbol} is {new_symbol} now"
    action.move("NC", "SNC", -qty, -cost, price=price, description=words)
    action.move("NC", "SNC", qty, cost, price=price, description=words, symbol=new_symbol)


def _spin_off(action: _Action) -> None:
    """Give `new_rate` shares of `new_symbol` for each; the broker leaves all cost where it was."""
    new_symbol, rate = _other_symbol(action), action.number("new_rate")
    qty = action.position.qty
    new = figures.shares(qty * rate)
    action.describe(
        source_symbol=action.symbol,
        new_symbol=new_symbol,
        source_qty=qty,
        new_qty=new,
        source_rate=_ONE,
        new_rate=rate,
    )
    action.move("SPIN", "", new, ZERO, price=ZERO, description="Spin-off", symbol=new_symbol)


_KINDS: dict[str, Callable[[_Action], None]] = {
    "split": _split,
    "cash_dividend": _cash_dividend,
    "stock_dividend": _stock_dividend,
    "symbol_change": _symbol_change,
    "spin_off": _spin_off,
}


def _other_symbol(action: _Action) -> str:
    asset = action.broker.world.catalogue.get(str(action.body.get("new_symbol") or ""))
    if asset is None or asset.symbol == action.symbol:
        raise Refusal(422, _IMPOSSIBLE, "new_symbol must be another symbol that exists")
    return asset.symbol


def _cancel_orders(action: _Action) -> None:
    """End the orders whose quantities and prices mean something else from now on."""
    broker = action.broker
    for order in list(broker.books.open_orders.of(action.account_id).values()):
        if order.symbol == action.symbol and order.is_open:
            now = broker.now()
            order.canceled_at = now
            matching.move(broker, order, "canceled", now)
            matching.announce(broker, order, "canceled", now, reason="CORPORATE_ACTION")
