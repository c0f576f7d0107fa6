"""The HTTP side of accounts."""

from accounts.views.applications import Applications, Me
from accounts.views.documents import Documents, DocumentUploads, Statement, StatementFile
from accounts.views.feed import AccountEvents
from accounts.views.profile import BuyingPowerPreference, Preferences, Profile, ProfileFields
from accounts.views.status import AccountHistory, AccountStatus, AccountStatusSync

__all__ = [
    "AccountEvents",
    "AccountHistory",
    "AccountStatus",
    "AccountStatusSync",
    "Applications",
    "BuyingPowerPreference",
    "DocumentUploads",
    "Documents",
    "Me",
    "Preferences",
    "Profile",
    "ProfileFields",
    "Statement",
    "StatementFile",
]
