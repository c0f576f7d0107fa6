"""What is known of each account, and which of two values is the newer one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypedDict


class Position(TypedDict):
    """One position; figures are exact, as text, and `None` where nobody knows them."""

    symbol: str
    quantity: str
    average_entry_price: str
    price: str | None
    previous_close: str | None
    market_value: str | None
    as_of: str | None


class Value(TypedDict, total=False):
    """
    What an account is worth; never changed afterwards, each one is a new dictionary.

    `account_id` is `None` for all accounts together. While `stale`, do not show it as the value of
    now. `unpriced` is held and not in the figures. `revision` changes when what is held does.
    """

    account_id: str | None
    total_value: str | None
    today_return: str | None
    raw_value: Decimal | None
    raw_return: Decimal | None
    raw_return_percent: Decimal | None
    stale: bool
    as_of: str | None
    timestamp: str
    epoch: str
    seq: int
    currency: str
    unpriced: list[str]
    revision: str
    cash: str | None
    positions: list[Position]


def order_of(value: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return by what to compare two values: the greater one was made from later prices."""
    turn, _, started = str(value.get("epoch", "")).partition(".")
    try:
        return int(turn), int(started or 0), int(value.get("seq", 0))
    except ValueError:
        return 0, 0, int(value.get("seq", 0))


@dataclass
class _Entry:
    held: dict[str, Any] = field(default_factory=dict)
    positions: dict[str, Position] | None = None
    shown: Value | None = None


class Book:
    """
    What is known of each account, and what of it was shown.

    The state follows the connection to the letter, while what is shown only moves forward: after a
    reconnection, to a process that is a moment behind, it waits until that one has caught up.
    """

    def __init__(self) -> None:
        self._entries: dict[str | None, _Entry] = {}

    @property
    def ids(self) -> list[str]:
        """List the accounts of which something is known."""
        return [account_id for account_id in self._entries if account_id is not None]

    @property
    def is_stale(self) -> bool:
        """Say whether something that is shown is stale."""
        return any(entry.shown and entry.shown["stale"] for entry in self._entries.values())

    def shown(self, account_id: str | None) -> Value | None:
        """Return what was shown last; of all accounts together for `None`."""
        entry = self._entries.get(account_id)
        return entry.shown if entry else None

    def take(self, message: Mapping[str, Any]) -> Value | None:
        """Take a message in, and return what is to be shown now, or nothing."""
        fields = dict(message)
        kind, positions = fields.pop("type", None), fields.pop("positions", None) or ()
        entry = self._entries.setdefault(fields.get("account_id"), _Entry())
        if kind == "snapshot":
            entry.held, entry.positions = fields, {}
        else:
            entry.held = entry.held | fields
        if entry.positions is not None:
            entry.positions = entry.positions | {each["symbol"]: each for each in positions}
        return self._show(entry)

    def take_polled(self, record: Mapping[str, Any]) -> Value | None:
        """Take a poll's answer; one older than what is shown only says if prices are old."""
        shown = self.shown(record["account_id"])
        if shown is None or order_of(record) >= order_of(shown):
            return self.take({**record, "type": "snapshot"})
        return _mark(self._entries[record["account_id"]]) if record["stale"] else None

    def mark_stale(self, *, but: Collection[str] = ()) -> list[Value]:
        """Mark everything shown as stale, or all but some, and return what has changed by that."""
        entries = [entry for account_id, entry in self._entries.items() if account_id not in but]
        return [value for entry in entries if (value := _mark(entry))]

    def keep_only(self, account_ids: Collection[str]) -> None:
        """Forget every account but these."""
        for account_id in set(self.ids) - set(account_ids):
            del self._entries[account_id]
        if not account_ids:
            self._entries.pop(None, None)

    def resume(self, account_id: str) -> dict[str, Any] | None:
        """Say where to go on with an account, if the server has named what it holds."""
        held = self._entries[account_id].held if account_id in self._entries else {}
        if "revision" not in held:
            return None
        return {name: held[name] for name in ("epoch", "seq", "revision")}

    def _show(self, entry: _Entry) -> Value | None:
        if entry.shown and order_of(entry.held) < order_of(entry.shown):
            return _mark(entry) if entry.held["stale"] else None
        shown: Any = dict(entry.held)
        if entry.positions is not None:
            shown["positions"] = list(entry.positions.values())
        entry.shown = shown
        return entry.shown


def _mark(entry: _Entry) -> Value | None:
    if entry.shown is None or entry.shown["stale"]:
        return None
    entry.shown = {**entry.shown, "stale": True}
    return entry.shown
