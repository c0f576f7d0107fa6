"""What every movement of money asks of the account first."""

from typing import Final, Protocol

from core.errors import CleraError

# Where the broker tells of banks and transfers; who records one wakes the news that waits for it.
NEWS: Final = "alpaca.funding"


class AccountNotActive(CleraError):
    """The broker has not opened the account for money and trading, or has shut it."""

    code = "account_not_active"
    status = 422
    detail = "The account is not active yet; wait until its status is ACTIVE."


class AccountFrozen(CleraError):
    """Our staff has stopped the account's orders and transfers."""

    code = "account_frozen"
    status = 422
    detail = "Transfers of this account are stopped for now; ask support."


class AccountClosing(CleraError):
    """It is on its way to being closed; what came in now would have to leave again."""

    code = "account_closing"
    status = 422
    detail = "The account is being closed; no money may be paid in any more."


class _Account(Protocol):
    @property
    def is_tradable(self) -> bool: ...

    @property
    def is_frozen(self) -> bool: ...


def bar_of(account: _Account) -> AccountFrozen | AccountNotActive | None:
    """Return what would be raised for an account that is not active, or nothing."""
    try:
        demand_active(account)
    except (AccountFrozen, AccountNotActive) as error:
        return error
    return None


def demand_active(account: _Account) -> None:
    """
    Let only active accounts pass.

    :raises AccountFrozen: our staff has stopped it.
    :raises AccountNotActive: the broker's status is anything but ACTIVE.
    """
    if account.is_frozen:
        raise AccountFrozen
    if not account.is_tradable:
        raise AccountNotActive
