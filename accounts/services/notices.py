"""What the owner of an account is told, in words that need no look at our tables."""

from collections.abc import Sequence
from typing import Any, Final

from accounts.models import BrokerageAccount, DocumentRequest
from accounts.services import feed

STATUS: Final = "account.status"
DOCUMENT_WANTED: Final = "account.document_wanted"
PROFILE_CHANGED: Final = "account.profile_changed"


def status_of(account: BrokerageAccount) -> dict[str, Any]:
    """Put an account's status into a notice."""
    return {
        "status": account.public_status,
        "is_tradable": account.is_tradable,
        "is_frozen": account.is_frozen,
        "requirements": list(account.requirements),
    }


def tell_status(account: BrokerageAccount) -> None:
    """Tell the owner the account's status as it is now."""
    tell_statuses([(account, status_of(account))])


def tell_statuses(moved: Sequence[tuple[BrokerageAccount, dict[str, Any]]]) -> None:
    """Tell owners, at once, what `status_of` said when each change happened, in that order."""
    feed.push_all([_news(account, STATUS, payload) for account, payload in moved])


def tell_document_wanted(request: DocumentRequest) -> None:
    """Tell the owner that a document is asked for, or no longer."""
    payload = {
        "request_id": str(request.pk),
        "document_type": request.document_type,
        "note": request.note,
        "state": request.state,
    }
    news = feed.News(request.account_id, request.user_id, DOCUMENT_WANTED, payload)
    feed.push_all([news])


def tell_profile_changed(account: BrokerageAccount, fields: Sequence[str]) -> None:
    """Tell the owner which contact data were changed; not to what."""
    feed.push_all([_news(account, PROFILE_CHANGED, {"fields": list(fields)})])


def _news(account: BrokerageAccount, kind: str, payload: dict[str, Any]) -> feed.News:
    return feed.News(account.pk, account.user_id, kind, payload)
