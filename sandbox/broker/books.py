"""The broker's books: every record, the indexes to find it, and its way to the store."""

from bisect import insort
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import TypeAdapter

from sandbox.broker.open_orders import OpenOrders
from sandbox.broker.records import (
    ZERO,
    Account,
    Activity,
    Order,
    Position,
    Relationship,
    Transfer,
)
from sandbox.store import Store

R = TypeVar("R")

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Account, Relationship, Transfer, Order, Position, Activity)
}


class Books:
    """All records of one broker. Whoever changes a record calls `save` on it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.empty()
        self._load()

    def empty(self) -> None:
        """Start with no customer at all."""
        self.accounts: dict[str, Account] = {}
        self.by_email: dict[str, str] = {}
        self._email_of: dict[str, str] = {}
        self.relationships: dict[str, dict[str, Relationship]] = {}
        self.transfers: dict[str, dict[str, Transfer]] = {}
        self.orders: dict[str, dict[str, Order]] = {}
        self.client_order_ids: dict[tuple[str, str], str] = {}
        self.open_orders = OpenOrders()
        self._legs: dict[str, dict[str, Order]] = {}
        self.positions: dict[str, dict[str, Position]] = {}
        self.activities: dict[str, list[Activity]] = {}

    def _load(self) -> None:
        for kind, adapter in _ADAPTERS.items():
            for _, body in self._store.load(kind.__name__.lower()):
                self._index(adapter.validate_json(body))

    def save(self, record: Any) -> None:
        """Index a new or changed record and have it written out."""
        self._index(record)
        self.rewrite(record)

    def rewrite(self, record: Any) -> None:
        """Have a record written out whose place in the indexes stays the same."""
        kind = type(record)
        self._store.mark(
            kind.__name__.lower(), _key(record), lambda: _ADAPTERS[kind].dump_json(record).decode()
        )

    def _index(self, record: Any) -> None:
        match record:
            case Account():
                self._index_account(record)
            case Relationship():
                self.relationships.setdefault(record.account_id, {})[record.id] = record
            case Transfer():
                self.transfers.setdefault(record.account_id, {})[record.id] = record
            case Order():
                self._index_order(record)
            case Position():
                held = self.positions.setdefault(record.account_id, {})
                held[record.symbol] = record
                if not record.qty:
                    del held[record.symbol]
            case Activity():
                self._index_activity(record)

    def _index_account(self, account: Account) -> None:
        """Find an account by its present e-mail address only; the one before is free again."""
        self.accounts[account.id] = account
        self.by_email.pop(self._email_of.get(account.id, ""), None)
        self.by_email[account.email] = account.id
        self._email_of[account.id] = account.email

    def _index_order(self, order: Order) -> None:
        self.orders.setdefault(order.account_id, {})[order.id] = order
        self.client_order_ids[order.account_id, order.client_order_id] = order.id
        if order.parent_id is not None:
            self._legs.setdefault(order.parent_id, {})[order.id] = order
        self.open_orders.put(order)

    def _index_activity(self, activity: Activity) -> None:
        kept = self.activities.setdefault(activity.account_id, [])
        insort(kept, activity, key=lambda each: (each.at, each.id))

    def legs_of(self, order: Order) -> list[Order]:
        """List the orders that came with an order, as far as none has taken their place."""
        legs = self._legs.get(order.id, {}).values()
        return [leg for leg in legs if leg.status != "replaced"]

    def hand_over_legs(self, old: Order, new: Order) -> None:
        """Give the legs of a replaced order to the one in its place."""
        for leg in self._legs.pop(old.id, {}).values():
            leg.parent_id = new.id
            self.save(leg)

    def held(self, account_id: str) -> Iterable[Position]:
        """List what an account holds."""
        return self.positions.get(account_id, {}).values()

    def position(self, account_id: str, symbol: str) -> Position:
        """Find a position, or a new empty one."""
        found = self.positions.get(account_id, {}).get(symbol)
        return found or Position(account_id=account_id, symbol=symbol, qty=ZERO, cost=ZERO)


def _key(record: Any) -> str:
    if isinstance(record, Position):
        return f"{record.account_id}/{record.symbol}"
    return str(record.id)
