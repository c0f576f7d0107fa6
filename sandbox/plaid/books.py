"""The vendor's books: its records, the indexes to find them, and their way to the store."""

from typing import Any

from pydantic import TypeAdapter

from sandbox.plaid.records import Item, LinkToken, SigningKey
from sandbox.store import Store

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (LinkToken, Item, SigningKey)
}


class Books:
    """All records of the vendor. Whoever changes a record calls `save` on it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.keys: dict[str, SigningKey] = {}
        self.empty()
        for kind, adapter in _ADAPTERS.items():
            for _, body in store.load(_name(kind)):
                self._index(adapter.validate_json(body))

    def empty(self) -> None:
        """Start with no customer at all; the keys are the vendor's own and stay."""
        self.links: dict[str, LinkToken] = {}
        self.by_page: dict[str, LinkToken] = {}
        self.items: dict[str, Item] = {}

    def save(self, record: Any) -> None:
        """Index a new or changed record and have it written out."""
        self._index(record)
        kind = type(record)
        key = record.kid if isinstance(record, SigningKey) else record.id
        self._store.mark(_name(kind), key, lambda: _ADAPTERS[kind].dump_json(record).decode())

    def _index(self, record: Any) -> None:
        match record:
            case LinkToken():
                self.links[record.id] = record
                if record.page is not None:
                    self.by_page[record.page] = record
            case Item():
                self.items[record.id] = record
            case SigningKey():
                self.keys[record.kid] = record


def _name(kind: type[Any]) -> str:
    return f"plaid_{kind.__name__.lower()}"
