"""What accounts tell the identity provider's tables, which the frontend reads in real time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class AccountLine:
    """One customer's brokerage account, as the frontend's own table has it."""

    user_id: str
    broker_account_id: str
    account_number: str
    status: str
    at: datetime


class Directory(Protocol):
    """The identity provider, as far as it is told of accounts."""

    def write(self, line: AccountLine) -> None:
        """
        Set the customer's line; setting it again changes nothing.

        :raises VendorError: it may not have been set.
        """
        ...


_in_use: list[Directory] = []


def get_directory() -> Directory:
    """Return Supabase, or what a test has put in its place."""
    if _in_use:
        return _in_use[-1]
    from accounts.gateways.supabase import SupabaseDirectory  # noqa: PLC0415 - imports this port

    return SupabaseDirectory()


@contextmanager
def use(directory: Directory) -> Iterator[None]:
    """Let this directory stand in for the real one until the block ends."""
    _in_use.append(directory)
    try:
        yield
    finally:
        _in_use.remove(directory)
