"""What was asked of a customer, handed in and changed, as tables on the customer's page."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from accounts.models import BrokerageAccount, ContactChange, DocumentRequest, DocumentUpload
from core.backoffice import columns, pages

_NEWEST: Final = 10


def tables(account: BrokerageAccount, *, at: datetime) -> list[dict[str, Any]]:
    """Lay the newest out in tables; one without rows need not be shown."""
    shapes: list[tuple[str, Any, list[str], Callable[[Any], list[Any]]]] = [
        ("Documents asked for", DocumentRequest, ["Document", "What they read"], _of_request),
        ("Documents handed in", DocumentUpload, ["Document", "Why"], _of_intent),
        ("Changes of contact data", ContactChange, ["Change", "Why"], _of_intent),
    ]
    return [
        {
            "title": title,
            "headers": [*headers, "State", "Age"],
            "rows": [
                [*cells_of(row), columns.label(row.state), columns.age(row.created_at, at=at)]
                for row in model.objects.filter(account=account).order_by("-created_at")[:_NEWEST]
            ],
        }
        for title, model, headers, cells_of in shapes
    ]


def _of_request(request: DocumentRequest) -> list[Any]:
    return [_link(request, request.document_type), request.note]


def _of_intent(intent: DocumentUpload | ContactChange) -> list[Any]:
    return [_link(intent, str(intent)), intent.reason or columns.NOTHING]


def _link(row: Any, words: str) -> Any:
    url = pages.page_of(row._meta.label, row.pk)  # noqa: SLF001 - Django's name for it
    return words if url is None else columns.link(url, words)
