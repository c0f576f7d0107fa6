"""Everything that is done with accounts; other apps call it as `services.lock_account(...)`."""

from accounts.services.changes import (
    ChangeInProgress,
    ChangeRefused,
    change_contact,
)
from accounts.services.closing import AccountClosing, begin_closing, end_closing
from accounts.services.documents import (
    Document,
    DocumentRefused,
    get_statement,
    list_statements,
    read_statement,
    upload_document,
)
from accounts.services.feed import push
from accounts.services.mirror import mirror_status, sweep_mirror
from accounts.services.opening import (
    SOURCE,
    AccountExists,
    ApplicationCourier,
    ApplicationRefused,
    EmailExists,
    dismiss,
    open_account,
)
from accounts.services.oversight import restrict
from accounts.services.preferences import set_buying_power
from accounts.services.profiles import read_person
from accounts.services.status import (
    apply_events,
    follow_events,
    heal_accounts,
    lock_account,
    refresh_account,
)
from accounts.services.submissions import AccountOver
from accounts.services.upkeep import (
    refresh_accounts,
    sweep_applications,
    sweep_changes,
    sweep_documents,
)

__all__ = [
    "SOURCE",
    "AccountClosing",
    "AccountExists",
    "AccountOver",
    "ApplicationCourier",
    "ApplicationRefused",
    "ChangeInProgress",
    "ChangeRefused",
    "Document",
    "DocumentRefused",
    "EmailExists",
    "apply_events",
    "begin_closing",
    "change_contact",
    "dismiss",
    "end_closing",
    "follow_events",
    "get_statement",
    "heal_accounts",
    "list_statements",
    "lock_account",
    "mirror_status",
    "open_account",
    "push",
    "read_person",
    "read_statement",
    "refresh_account",
    "refresh_accounts",
    "restrict",
    "set_buying_power",
    "sweep_applications",
    "sweep_changes",
    "sweep_documents",
    "sweep_mirror",
    "upload_document",
]
