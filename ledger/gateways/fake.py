"""Books in memory: what they hold is set by the test."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.errors import VendorUnavailable
from core.feeds import Feed, Opened
from core.ids import new_id
from ledger.gateways import Activity, Unreadable

_ZERO = Decimal("0.00")


class FakeBooks:
    """Cash and lines by the broker's account id; `before_cash` runs between the two readings."""

    def __init__(self) -> None:
        self.cash: dict[str, Decimal] = defaultdict(lambda: _ZERO)
        self.lines: dict[str, list[Activity]] = defaultdict(list)
        self.before_cash: Callable[[], object] = lambda: None
        self.is_away = False

    def book(self, broker_account_id: str, activity_type: str, cash: str, **more: Any) -> Activity:
        """Write a line, and move the cash with it."""
        told: dict[str, Any] = {"activity_id": str(new_id()), "occurred_at": datetime.now(UTC)}
        line = Activity(
            **told | more,
            broker_account_id=broker_account_id,
            activity_type=activity_type,
            cash=Decimal(cash),
        )
        self.lines[broker_account_id].append(line)
        self.cash[broker_account_id] += line.cash
        return line

    def cancel(self, line: Activity) -> Activity:
        """Take a line back, and the cash with it."""
        gone = replace(line, is_canceled=True)
        lines = self.lines[line.broker_account_id]
        lines[lines.index(line)] = gone
        self.cash[line.broker_account_id] -= line.cash
        return gone

    def cash_of(self, broker_account_id: str) -> Decimal:
        self._answer()
        self.before_cash()
        return self.cash.get(broker_account_id, _ZERO)

    def list_activities(self, broker_account_id: str, *, after: datetime | None) -> list[Activity]:
        self._answer()
        lines = self.lines.get(broker_account_id, [])
        return [line for line in lines if after is None or line.occurred_at > after]

    def feed(self) -> Feed:
        return _Silence()

    def read_news(self, payload: Mapping[str, Any]) -> Activity | None:
        for lines in self.lines.values():
            for line in lines:
                if line.activity_id == payload.get("id"):
                    return line
        raise Unreadable("There is no such line.")

    def _answer(self) -> None:
        if self.is_away:
            raise VendorUnavailable("fake", "The broker is away.")


class _Silence:
    """A stream on which nothing comes."""

    def open(self, since: str | None) -> AbstractContextManager[Opened]:
        raise VendorUnavailable("fake", f"There is no stream after {since}.")
