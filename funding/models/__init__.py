"""The tables of funding."""

from funding.models.banks import (
    ACTIVE_BANK,
    AchRelationship,
    Bank,
    BankRemoval,
    number_index,
)
from funding.models.plaid import LinkSession, PlaidItem, token_index
from funding.models.transfers import (
    UNDECIDED,
    Cancellation,
    Transfer,
    TransferLimit,
    TransferReturn,
    TransferVerdict,
)

__all__ = [
    "ACTIVE_BANK",
    "UNDECIDED",
    "AchRelationship",
    "Bank",
    "BankRemoval",
    "Cancellation",
    "LinkSession",
    "PlaidItem",
    "Transfer",
    "TransferLimit",
    "TransferReturn",
    "TransferVerdict",
    "number_index",
    "token_index",
]
