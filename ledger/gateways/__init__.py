"""What the ledger needs from a broker: its books, to compare ours with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from core.feeds import Feed


class Unreadable(ValueError):
    """The broker sent something that is not what its documentation says."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """
    One line of the broker's books; `cash` is what it does to the account's cash, in dollars.

    Of a fill, `quantity` says how much was filled, and `cumulative` how much of the order then
    was. A line that `is_canceled` moves nothing, and `previous_id` names one that it takes the
    place of.
    """

    activity_id: str
    broker_account_id: str
    activity_type: str
    cash: Decimal
    occurred_at: datetime
    symbol: str = ""
    broker_order_id: str = ""
    quantity: Decimal | None = None
    cumulative: Decimal | None = None
    previous_id: str = ""
    is_canceled: bool = False
    # Whether it is about shares that came or went without a trade.
    moves_shares: bool = False


class BrokerBooks(Protocol):
    """The broker's own record of an account's cash."""

    def cash_of(self, broker_account_id: str) -> Decimal:
        """
        Read an account's cash in dollars.

        :raises VendorError: the broker could not be read.
        """
        ...

    def list_activities(self, broker_account_id: str, *, after: datetime | None) -> list[Activity]:
        """
        List what has moved an account's cash since, the oldest first; all of it without `after`.

        :raises VendorError: the broker could not be read.
        """
        ...

    def feed(self) -> Feed:
        """Return the stream of the lines of all accounts."""
        ...

    def read_news(self, payload: Mapping[str, Any]) -> Activity | None:
        """
        Read one event of the stream, or return nothing when it moves no cash.

        :raises Unreadable: it cannot be read.
        """
        ...


_in_use: list[BrokerBooks] = []


def get_books() -> BrokerBooks:
    """Return the broker's books: Alpaca's, or what a test has put in their place."""
    if _in_use:
        return _in_use[-1]
    from ledger.gateways.alpaca import AlpacaBooks  # noqa: PLC0415 - it imports this port

    return AlpacaBooks()


@contextmanager
def use(books: BrokerBooks) -> Iterator[None]:
    """Compare with other books, in every thread, until the block ends."""
    _in_use.append(books)
    try:
        yield
    finally:
        _in_use.remove(books)
