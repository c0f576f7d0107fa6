"""The tables of funding."""

from funding.models.banks import (
    ACTIVE_BANK,
    AchRelationship,
    Bank,
    BankRemoval,
    Chosen,
    number_index,
)
from funding.models.plaid import CHECK_EVERY, LinkSession, PlaidItem, token_index
from funding.models.transfers import (
    UNDECIDED,
    Cancellation,
    Transfer,
    TransferLimit,
    TransferReturn,
)
from funding.models.verdicts import ReviewVerdict

__all__ = [
    "ACTIVE_BANK",
    "CHECK_EVERY",
    "UNDECIDED",
    "AchRelationship",
    "Bank",
    "BankRemoval",
    "Cancellation",
    "Chosen",
    "LinkSession",
    "PlaidItem",
    "ReviewVerdict",
    "Transfer",
    "TransferLimit",
    "TransferReturn",
    "number_index",
    "token_index",
]
