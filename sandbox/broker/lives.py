"""The lives that orders lead in a storm, and what is true of them at each moment."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from functools import partial
from typing import Any

from sandbox.answers import decimal_text
from sandbox.broker import activities, busts, figures, matching, settlement
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.coverage import Coverage
from sandbox.broker.records import FINAL_ORDER_STATUSES, ZERO, Activity, Order, stamp

Act = Callable[[], str]

# Words that nobody has heard of; two, so that one can follow the other.
_UNKNOWN, _UNKNOWN_TOO = "something_new", "something_else"
_NOT_BEGUN = frozenset({"pending_new", "accepted"})
_MAY_FILL_LATE = frozenset({"canceled", "expired"})
_ONE = Decimal(1)
# A fill is at most this many hundredths away from the market.
_SPREAD = 200
_EVEN = 0.5
# How likely each step is, beside the others that are possible at that moment.
_PART, _WHOLE, _CANCEL, _EXPIRE, _PENDING, _LATE, _REFUSED = 8.0, 1.0, 0.8, 0.2, 0.7, 4.0, 0.5


@dataclass(kw_only=True)
class Life:
    """One order's life, told from the storm's own notes and not from the broker's books."""

    order: Order
    standing: dict[str, Activity] = field(default_factory=dict)
    void: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Say what a faultless reader must know of the order."""
        fills = list(self.standing.values())
        filled = sum((line.qty or ZERO for line in fills), ZERO)
        value = sum(((line.qty or ZERO) * (line.price or ZERO) for line in fills), ZERO)
        return {
            "id": self.order.id,
            "account_id": self.order.account_id,
            "symbol": self.order.symbol,
            "side": self.order.side,
            "status": self.order.status,
            "filled_qty": filled,
            "filled_avg_price": figures.shares(value / filled) if filled else None,
            "executions": {
                execution_id: {
                    "qty": line.qty,
                    "price": line.price,
                    "at": stamp(line.executed_at or line.at),
                }
                for execution_id, line in self.standing.items()
            },
            "void": self.void,
            "steps": self.steps,
        }


class Stage:
    """
    Where orders live: it takes one step of one order at a time.

    At no moment is more sold than held, whether a corrected fill counts from its first moment or
    from that of its correction; and no order is left open by its last step.
    """

    def __init__(
        self, broker: Broker, rng: random.Random, *, busts: float, corrections: float
    ) -> None:
        self._broker = broker
        self._rng = rng
        self._busts = busts
        self._corrections = corrections
        self.coverage = Coverage(broker)
        self.counts = dict.fromkeys(("busts", "corrections", "late_fills"), 0)

    def step(self, life: Life, at: datetime, *, is_last: bool, is_unknown: bool) -> str:
        """Take the next step of an order and give the ULID of its event."""
        self.coverage.meet(life.order)
        if is_unknown:
            return self._say_unknown(life, at, is_last=is_last)
        if life.order.status in _NOT_BEGUN and not is_last:
            return self._say(life, "new", at, status="new")
        chance = self._rng.random()
        if chance < self._busts and (act := self._bust(life, at, is_last=is_last)):
            return act()
        is_corrected = self._busts <= chance < self._busts + self._corrections
        if is_corrected and (act := self._correction(life, at, is_last=is_last)):
            return act()
        is_open = life.order.status not in FINAL_ORDER_STATUSES
        options = self._of_open(life, at, is_last=is_last) if is_open else self._of_ended(life, at)
        [act] = self._rng.choices([act for _, act in options], [weight for weight, _ in options])
        return act()

    # What may come next

    def _of_open(self, life: Life, at: datetime, *, is_last: bool) -> list[tuple[float, Act]]:
        rest, part = self._sizes(life)
        options: list[tuple[float, Act]] = [
            (_CANCEL, lambda: self._end(life, "canceled", at)),
            (_EXPIRE, lambda: self._end(life, "expired", at)),
        ]
        if rest:
            options.append((_WHOLE, lambda: self._fill(life, rest, at)))
        if not is_last and part:
            options.append((_PART, lambda: self._fill(life, part, at)))
        if not is_last and life.order.status != "pending_cancel":
            options.append(
                (_PENDING, lambda: self._say(life, "pending_cancel", at, status="pending_cancel"))
            )
        return options

    def _of_ended(self, life: Life, at: datetime) -> list[tuple[float, Act]]:
        refused = "order_cancel_rejected"
        reason = "TOO_LATE_TO_CANCEL"
        options: list[tuple[float, Act]] = [
            (_REFUSED, lambda: self._say(life, refused, at, reason=reason))
        ]
        if life.order.status in _MAY_FILL_LATE:
            rest, part = self._sizes(life)
            options += [
                (_LATE / 2, partial(self._fill_late, life, size, at))
                for size in (rest, part)
                if size
            ]
        return options

    def _sizes(self, life: Life) -> tuple[Decimal, Decimal]:
        """Tell with what the order may be filled now: all of the rest, and a part of it."""
        order = life.order
        if order.remaining_qty is None:
            order.target_qty = figures.shares((order.notional or ZERO) / self._market(order))
        rest = order.remaining_qty or ZERO
        can_have = rest if order.is_buy else min(rest, self.coverage.held(order))
        part = can_have * Decimal(self._rng.randrange(5, 60)) / 100
        is_whole = rest == rest.to_integral_value() and rest > 1
        part = part.quantize(_ONE, ROUND_DOWN) if is_whole else figures.shares(part)
        if not part and can_have < rest:
            part = can_have
        return (rest if can_have == rest else ZERO), part

    # What happens

    def _say(self, life: Life, event: str, at: datetime, *, status: str = "", **more: str) -> str:
        order = life.order
        if status:
            order.status, order.updated_at = status, at
            self._broker.books.save(order)
        matching.announce(self._broker, order, event, at, **more)
        return self._note(life, event)

    def _say_unknown(self, life: Life, at: datetime, *, is_last: bool) -> str:
        order = life.order
        word = _UNKNOWN_TOO if order.status == _UNKNOWN else _UNKNOWN
        may_change = order.status not in FINAL_ORDER_STATUSES and not is_last
        if is_last and order.status not in FINAL_ORDER_STATUSES:
            order.status, order.canceled_at = "canceled", at
        return self._say(life, word, at, status=word if may_change else order.status)

    def _end(self, life: Life, status: str, at: datetime) -> str:
        setattr(life.order, f"{status}_at", at)
        return self._say(life, status, at, status=status)

    def _fill_late(self, life: Life, qty: Decimal, at: datetime) -> str:
        self.counts["late_fills"] += 1
        return self._fill(life, qty, at)

    def _fill(self, life: Life, qty: Decimal, at: datetime) -> str:
        broker, order = self._broker, life.order
        price, execution_id = self._price(order), str(uuid.uuid4())
        order.filled_qty += qty
        order.filled_value += qty * price
        order.updated_at = at
        is_done = order.remaining_qty == ZERO
        if is_done:
            order.status, order.filled_at = "filled", at
        elif order.is_open and order.status != "pending_cancel":
            order.status = "partially_filled"
        broker.books.save(order)
        moved = qty if order.is_buy else -qty
        matching.trade(broker, order.account_id, order.symbol, moved, price)
        cash = figures.cents(qty * price)
        line = activities.book_fill(
            broker,
            order,
            qty=qty,
            price=price,
            cash=-cash if order.is_buy else cash,
            at=at,
            execution_id=execution_id,
        )
        settlement.note(broker, order.account_id, line.cash, at)
        event = "fill" if is_done else "partial_fill"
        self._record(order, is_done=is_done, qty=qty, price=price)
        held = broker.books.position(order.account_id, order.symbol).qty
        matching.announce(
            broker,
            order,
            event,
            at,
            execution_id=execution_id,
            price=decimal_text(price),
            qty=decimal_text(qty),
            position_qty=decimal_text(held),
        )
        life.standing[execution_id] = line
        self.coverage.add(order, execution_id, qty)
        return self._note(life, event)

    def _record(self, order: Order, *, is_done: bool, qty: Decimal, price: Decimal) -> None:
        self._broker.world.effects.record(
            VENDOR,
            "order.filled" if is_done else "order.partially_filled",
            order.id,
            client_key=order.client_order_id,
            account_id=order.account_id,
            amount=qty * price,
            qty=qty,
            symbol=order.symbol,
        )

    def _bust(self, life: Life, at: datetime, *, is_last: bool) -> Act | None:
        """Choose a fill that can be taken back, and whether the order goes on without it."""
        order, chosen = life.order, self._choose(life, is_last=is_last)
        if chosen is None or not self.coverage.is_enough_without(order, chosen):
            return None
        works_on = not is_last and self._rng.random() < _EVEN

        def act() -> str:
            line = life.standing.pop(chosen)
            life.void.append(chosen)
            self.coverage.remove(order, chosen)
            self.counts["busts"] += 1
            busts.take_back(self._broker, order, line, at, works_on=works_on)
            return self._note(life, "trade_bust")

        return act

    def _correction(self, life: Life, at: datetime, *, is_last: bool) -> Act | None:
        """Choose a fill that can be changed, and how."""
        order, chosen = life.order, self._choose(life, is_last=is_last)
        if chosen is None:
            return None
        if order.is_buy and not self.coverage.is_enough_without(order, chosen):
            return None
        line = life.standing[chosen]
        qty, price = self._other_size(line.qty or ZERO), self._price(order)

        def act() -> str:
            new, _ = busts.amend(self._broker, order, line, at, qty=qty, price=price)
            del life.standing[chosen]
            life.void.append(chosen)
            life.standing[new.execution_id or ""] = new
            self.coverage.replace(order, chosen, new.execution_id or "", qty)
            self.counts["corrections"] += 1
            return self._note(life, "trade_correct")

        return act

    def _choose(self, life: Life, *, is_last: bool) -> str | None:
        """Choose a fill; an order's last step has to end it, which a correction does not."""
        if not life.standing or (is_last and life.order.is_open):
            return None
        return self._rng.choice(list(life.standing))

    def _other_size(self, qty: Decimal) -> Decimal:
        """Leave a fill its size, or make it smaller: a sale that grows may not be covered."""
        if self._rng.random() < _EVEN:
            return qty
        if qty == qty.to_integral_value():
            return Decimal(self._rng.randint(1, int(qty)))
        return figures.shares(qty * Decimal(self._rng.randrange(10, 100)) / 100) or qty

    def _note(self, life: Life, event: str) -> str:
        life.steps.append(event)
        return self._broker.hub.history("trades")[-1].ulid

    def _market(self, order: Order) -> Decimal:
        return max(figures.price_of(self._broker, order.symbol), _ONE)

    def _price(self, order: Order) -> Decimal:
        """Give a price near the market that the order's limit allows."""
        away = Decimal(self._rng.randint(-_SPREAD, _SPREAD)) / 10_000
        price = figures.cents(self._market(order) * (1 + away))
        if order.limit_price is None:
            return price
        return (min if order.is_buy else max)(price, order.limit_price)
