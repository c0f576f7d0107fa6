"""The words of the ledger: where cash can be, what moves it, who tells of it, what drifts."""

from typing import Final

from django.db import models


class Book(models.TextChoices):
    """
    A side of an entry. The first two are the account's cash; money in them is debited.

    The others are where cash comes from and goes to.
    """

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    BANK = "BANK"
    SECURITIES = "SECURITIES"
    INCOME = "INCOME"
    FEES = "FEES"
    BROKER = "BROKER"


CASH: Final = frozenset({Book.AVAILABLE, Book.HELD})
# Money from or to the world outside the account: what a return on investment must leave out.
OUTSIDE: Final = frozenset({Book.BANK, Book.BROKER})


class EntryKind(models.TextChoices):
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    DEPOSIT_RETURN = "DEPOSIT_RETURN"
    WITHDRAWAL_RETURN = "WITHDRAWAL_RETURN"
    PURCHASE = "PURCHASE"
    SALE = "SALE"
    DIVIDEND = "DIVIDEND"
    INTEREST = "INTEREST"
    FEE = "FEE"
    TAX = "TAX"
    CORPORATE_ACTION = "CORPORATE_ACTION"
    JOURNAL = "JOURNAL"
    OTHER = "OTHER"
    ADJUSTMENT = "ADJUSTMENT"
    HOLD = "HOLD"
    RELEASE = "RELEASE"


K = EntryKind
# Where the other side of each kind stands. Whether cash rises or falls is said by its sign.
OTHER_SIDE: Final[dict[EntryKind, Book]] = {
    K.DEPOSIT: Book.BANK,
    K.WITHDRAWAL: Book.BANK,
    K.DEPOSIT_RETURN: Book.BANK,
    K.WITHDRAWAL_RETURN: Book.BANK,
    K.PURCHASE: Book.SECURITIES,
    K.SALE: Book.SECURITIES,
    K.DIVIDEND: Book.INCOME,
    K.INTEREST: Book.INCOME,
    K.FEE: Book.FEES,
    K.TAX: Book.FEES,
    K.CORPORATE_ACTION: Book.SECURITIES,
    K.JOURNAL: Book.BROKER,
    K.OTHER: Book.BROKER,
    K.ADJUSTMENT: Book.BROKER,
}
TRANSFERS: Final = frozenset({K.DEPOSIT, K.WITHDRAWAL, K.DEPOSIT_RETURN, K.WITHDRAWAL_RETURN})
FILLS: Final = frozenset({K.PURCHASE, K.SALE})


class WitnessKind(models.TextChoices):
    """Who has told us of a movement; two that agree make it certain."""

    TRANSFER = "TRANSFER"
    EXECUTION = "EXECUTION"
    ACTIVITY = "ACTIVITY"
    OPERATOR = "OPERATOR"


class DriftKind(models.TextChoices):
    BALANCE = "BALANCE"
    NOT_AT_BROKER = "NOT_AT_BROKER"
    NOT_OURS = "NOT_OURS"


class DriftState(models.TextChoices):
    """SUSPECTED may only be news on its way; OPEN has been seen twice and waits for people."""

    SUSPECTED = "SUSPECTED"
    OPEN = "OPEN"
    PROPOSED = "PROPOSED"
    RESOLVED = "RESOLVED"
    HEALED = "HEALED"


D = DriftState
DRIFT_MOVES: Final[dict[DriftState, frozenset[DriftState]]] = {
    D.SUSPECTED: frozenset({D.OPEN, D.HEALED}),
    D.OPEN: frozenset({D.PROPOSED, D.HEALED}),
    D.PROPOSED: frozenset({D.OPEN, D.RESOLVED, D.HEALED}),
    D.RESOLVED: frozenset(),
    D.HEALED: frozenset(),
}
UNSETTLED: Final = frozenset({D.SUSPECTED, D.OPEN, D.PROPOSED})


class Remedy(models.TextChoices):
    """What an operator proposes: to book the difference, or to leave the books as they are."""

    ADJUST = "ADJUST"
    EXPLAINED = "EXPLAINED"
