"""What every movement of money asks of the account first."""

from typing import Protocol

from core.errors import CleraError


class AccountNotActive(CleraError):
    """The broker has not opened the account for money and trading, or has shut it."""

    code = "account_not_active"
    status = 422
    detail = "The account is not active yet; wait until its status is ACTIVE."


class _Account(Protocol):
    @property
    def is_tradable(self) -> bool: ...


def demand_active(account: _Account) -> None:
    """
    Let only active accounts pass.

    :raises AccountNotActive: the broker's status is anything but ACTIVE.
    """
    if not account.is_tradable:
        raise AccountNotActive
