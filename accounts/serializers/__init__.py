"""The JSON of accounts, by noun: application, profile, documents, answers."""

from accounts.serializers.answers import (
    BuyingPowerChoice,
    HistoryAnswer,
    NewAccountAnswer,
    PreferencesAnswer,
    StatusAnswer,
    WhoIAm,
    who_i_am,
)
from accounts.serializers.application import NewAccount
from accounts.serializers.documents import (
    DocumentsAnswer,
    NewDocument,
    StatementAnswer,
    StatementFilter,
    UploadAnswer,
    documents_answer,
)
from accounts.serializers.profile import (
    ChangeAnswer,
    ProfileAnswer,
    ProfileChange,
    UpdateableFields,
    profile_answer,
    updateable_fields,
)

__all__ = [
    "BuyingPowerChoice",
    "ChangeAnswer",
    "DocumentsAnswer",
    "HistoryAnswer",
    "NewAccount",
    "NewAccountAnswer",
    "NewDocument",
    "PreferencesAnswer",
    "ProfileAnswer",
    "ProfileChange",
    "StatementAnswer",
    "StatementFilter",
    "StatusAnswer",
    "UpdateableFields",
    "UploadAnswer",
    "WhoIAm",
    "documents_answer",
    "profile_answer",
    "updateable_fields",
    "who_i_am",
]
