"""What changes of contact data and documents have in common on their way to the broker."""

from accounts import selectors
from accounts.models import ContactChange, DocumentUpload
from core.auth import SYSTEM, acting_as
from core.errors import RuleBroken
from core.intents import sending


class AccountOver(RuleBroken):
    """The account is closed or was refused."""

    code = "account_over"
    detail = "This account is closed; its data cannot be changed any more."


def broker_account_of(intent: ContactChange | DocumentUpload) -> str:
    """
    Return the broker's id of the account that something is sent for.

    The database connection is given back, since a call to the broker comes next.
    """
    with acting_as(SYSTEM):
        broker_account_id = selectors.broker_id_of(intent.account)
    sending.release_connection()
    return broker_account_id
