"""Storms of news about orders: partial and late fills, cancels, busts and corrections."""

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sandbox.answers import Refusal, as_decimal
from sandbox.broker import activities, crowds, mishaps
from sandbox.broker.core import Broker
from sandbox.broker.lives import Life, Stage
from sandbox.broker.records import Account, Order

_BAD = 40010000
_STEP = timedelta(milliseconds=1)
_SYMBOLS = ("AAPL", "MSFT", "NVDA")
_EVENTS_PER_ORDER = 6
_MOST_SHARES = 20
_CASH = Decimal(1_000_000)
_CHANCE_OF_SALE = 0.4
_CHANCE_OF_FRACTION = 0.2


def storm(broker: Broker, body: Any) -> dict[str, Any]:
    """
    Let orders live whole lives within a moment, and spoil the delivery of some news.

    `orders` names those of the books, or new ones in full; without it accounts and orders are
    made. All are over at the end. What is answered is what a faultless reader must know.

    :raises Refusal: something is not understood, or too much shall go wrong.
    """
    wanted = mishaps.read(broker, body, events=600)
    share_of_busts = mishaps.share(body, "busts", 0.1)
    share_of_corrections = mishaps.share(body, "corrections", 0.1)
    rng = random.Random(wanted.seed)  # noqa: S311 - a plan that can be repeated
    drafts = _drafts(broker, body, rng, wanted.events)
    owners = _numbers([draft["account_id"] for draft in drafts])
    plan = mishaps.planned(wanted, owners, rng, of="order")
    _make_accounts(broker, drafts)
    lives = [Life(order=_order(broker, draft)) for draft in drafts]
    stage = Stage(broker, rng, busts=share_of_busts, corrections=share_of_corrections)
    last_turns = {turn: place for place, turn in enumerate(plan.turns)}
    start, last = broker.now(), ""
    for place, turn in enumerate(plan.turns):
        last = stage.step(
            lives[turn],
            start + place * _STEP,
            is_last=last_turns[turn] == place,
            is_unknown=place in plan.unknown,
        )
        if kind := plan.mishaps.get(place):
            mishaps.strike(broker, "trades", last, kind, wanted)
    broker.world.clock.advance(wanted.events * _STEP.total_seconds())
    return {
        "events": wanted.events,
        "mishaps": plan.counts(),
        "unknown": len(plan.unknown),
        "last_event_ulid": last,
        **stage.counts,
        "orders": {life.order.client_order_id: life.as_json() for life in lives},
        "positions": stage.coverage.positions(),
    }


# Whose orders they are

Draft = dict[str, Any]


def _drafts(broker: Broker, body: dict[str, Any], rng: random.Random, events: int) -> list[Draft]:
    """Read which orders shall live, or think of some; nothing has been made yet."""
    if "orders" in body:
        entries = body["orders"]
        if not isinstance(entries, list) or not entries:
            raise Refusal(400, _BAD, "orders must be an array with at least one entry")
        drafts = [_draft(broker, entry) for entry in entries]
        if len({draft["client_order_id"] for draft in drafts}) < len(drafts):
            raise Refusal(400, _BAD, "each order must be named once")
        return drafts
    accounts = crowds.whole(body, "accounts", 20, most=crowds.MOST_ACCOUNTS)
    usual = max(events // _EVENTS_PER_ORDER, 1)
    count = crowds.whole(body, "order_count", usual, most=events)
    symbols = body.get("symbols", list(_SYMBOLS))
    if not isinstance(symbols, list) or not symbols:
        raise Refusal(400, _BAD, "symbols must be an array with at least one entry")
    known = [_symbol(broker, symbol) for symbol in symbols]
    account_ids = [f"new-{number}" for number in range(accounts)]
    return [_invented(rng, account_ids, known) for _ in range(count)]


def _invented(rng: random.Random, account_ids: Sequence[str], symbols: Sequence[str]) -> Draft:
    qty = Decimal(rng.randint(1, _MOST_SHARES))
    if rng.random() < _CHANCE_OF_FRACTION:
        qty -= Decimal(rng.randrange(1, 10**6)) / 10**6
    return {
        "account_id": rng.choice(account_ids),
        "client_order_id": str(uuid.uuid4()),
        "symbol": rng.choice(symbols),
        "side": "sell" if rng.random() < _CHANCE_OF_SALE else "buy",
        "qty": qty,
    }


def _draft(broker: Broker, entry: Any) -> Draft:
    if not isinstance(entry, dict):
        raise Refusal(400, _BAD, "each of orders must be an object")
    account = broker.account(str(entry.get("account_id") or ""))
    name = str(entry.get("client_order_id") or "")
    if (account.id, name) in broker.books.client_order_ids:
        return {"account_id": account.id, "client_order_id": name}
    qty, side = as_decimal(entry.get("qty")), entry.get("side")
    if not name or side not in {"buy", "sell"} or qty is None or qty <= 0:
        raise Refusal(400, _BAD, "an order needs a client_order_id, a side and a positive qty")
    return {
        "account_id": account.id,
        "client_order_id": name,
        "symbol": _symbol(broker, entry.get("symbol")),
        "side": side,
        "qty": qty,
    }


def _symbol(broker: Broker, symbol: object) -> str:
    asset = broker.world.catalogue.get(str(symbol or ""))
    if asset is None:
        raise Refusal(422, 42210000, f'asset "{symbol}" not found')
    return asset.symbol


def _numbers(names: Sequence[str]) -> list[int]:
    """Give everybody a number, in the order in which each is met first."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return [known[name] for name in names]


# What is made of them


def _make_accounts(broker: Broker, drafts: Sequence[Draft]) -> None:
    """Give each account that was only thought of its being, and money to trade with."""
    made: dict[str, Account] = {}
    for draft in drafts:
        name = draft["account_id"]
        if not name.startswith("new-"):
            continue
        if name not in made:
            made[name] = crowds.make(broker, "ACTIVE")
            activities.book_cash(broker, made[name].id, "CSD", _CASH, broker.now())
        draft["account_id"] = made[name].id


def _order(broker: Broker, draft: Draft) -> Order:
    """Find an order in the books, or write one down that the broker has just accepted."""
    account_id, name = draft["account_id"], draft["client_order_id"]
    known = broker.books.client_order_ids.get((account_id, name))
    if known is not None:
        return broker.books.orders[account_id][known]
    asset, now = broker.world.catalogue.get(draft["symbol"]), broker.now()
    order = Order(
        id=str(uuid.uuid4()),
        client_order_id=name,
        account_id=account_id,
        asset_id=asset.id if asset else "",
        symbol=draft["symbol"],
        side=draft["side"],
        type="market",
        time_in_force="day",
        status="accepted",
        created_at=now,
        updated_at=now,
        submitted_at=now,
        qty=draft["qty"],
    )
    broker.books.save(order)
    return order
