"""The tables of accounts."""

from accounts.models.accounts import (
    LIVE,
    ONE_PER_CUSTOMER,
    ONE_PER_EMAIL,
    BrokerageAccount,
    Person,
    email_index,
    masked,
)
from accounts.models.feed import AccountEvent, AccountFeed
from accounts.models.preferences import Preferences
from accounts.models.submissions import (
    ONE_CHANGE_AT_A_TIME,
    ContactChange,
    DocumentRequest,
    DocumentUpload,
)

__all__ = [
    "LIVE",
    "ONE_CHANGE_AT_A_TIME",
    "ONE_PER_CUSTOMER",
    "ONE_PER_EMAIL",
    "AccountEvent",
    "AccountFeed",
    "BrokerageAccount",
    "ContactChange",
    "DocumentRequest",
    "DocumentUpload",
    "Person",
    "Preferences",
    "email_index",
    "masked",
]
