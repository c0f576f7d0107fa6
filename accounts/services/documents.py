"""Documents: handing them in for the broker's checks, and reading what the broker has written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import ClassVar, Final
from uuid import UUID

from accounts import selectors
from accounts.gateways import NewDocument, Statement, StatementFile, get_brokerage
from accounts.models import BrokerageAccount, DocumentRequest, DocumentUpload
from accounts.services import notices
from accounts.services.submissions import AccountOver, broker_account_of
from accounts.states import RequestState
from core import idempotency
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, NotFound, VendorRejected
from core.ids import new_id
from core.intents import sending
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from core.jobs import enqueue

CLOCK_SKEW: Final = timedelta(minutes=5)
RECEIVED: Final = "RECEIVED"
NO_DOCUMENT: Final = "There is no such document."
# It becomes a part of the broker's path, where dots would lead elsewhere.
_DOCUMENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class DocumentRefused(CleraError):
    """The broker gave a clear no."""

    code = "document_refused"
    status = 422
    detail = "The broker refused the document."


@dataclass(frozen=True)
class Document:
    """A document that a customer hands in; `content` is the file itself."""

    document_type: str
    mime_type: str
    content: bytes = field(repr=False)
    document_sub_type: str = ""


class DocumentCourier(Courier[DocumentUpload]):
    """Carries a document to the broker, which would keep a second copy of one sent twice."""

    model = DocumentUpload
    resends: ClassVar[bool] = False

    def send(self, intent: DocumentUpload) -> Receipt:
        """Hand the document in; see `Courier.send`."""
        document = NewDocument(
            document_type=intent.document_type,
            document_sub_type=intent.document_sub_type,
            mime_type=intent.mime_type,
            content=intent.open_payload(),
        )
        get_brokerage().hand_in(broker_account_of(intent), document)
        return Receipt(RECEIVED)

    def find(self, intent: DocumentUpload) -> Receipt | None:
        """
        Look for a document of this type that came after our sending and is nobody else's.

        The broker does not tell the id of a document when it takes it. So of those that nobody
        claims as many are left aside as uploads were answered: a passport's other pages, say.
        """
        shown = get_brokerage().get_account(broker_account_of(intent)).documents
        if intent.sent_at is None:
            return None
        since = intent.sent_at - CLOCK_SKEW
        with acting_as(SYSTEM):
            alike = DocumentUpload.objects.filter(
                account_id=intent.account_id, document_type=intent.document_type
            )
            taken = set(alike.values_list("broker_document_id", flat=True))
            answered = alike.answered_since(since - CLOCK_SKEW).count()
        unclaimed = [
            document.document_id
            for document in shown
            if document.document_type == intent.document_type
            and document.document_id not in taken
            and document.created_at is not None
            and document.created_at >= since
        ]
        if len(unclaimed) <= answered:
            return None
        return Receipt(RECEIVED, changes={"broker_document_id": unclaimed[-1]})

    def settled(
        self,
        intent: DocumentUpload,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,
    ) -> None:
        """End the request that the document answers, and see soon what the broker makes of it."""
        if not intent.is_accepted:
            return
        requests = DocumentRequest.objects.select_for_update().filter(
            account_id=intent.account_id,
            document_type=intent.document_type,
            state=RequestState.OPEN,
        )
        for request in requests:
            request.settle(RequestState.DONE, at=at)
            notices.tell_document_wanted(request)
        enqueue("accounts.refresh_account", account_id=str(intent.account_id))


def upload_document(
    *,
    principal: Principal,
    account_id: str | UUID,
    document: Document,
    request: idempotency.Request | None,
    at: datetime,
) -> DocumentUpload:
    """
    Record a document and hand it in once; unsure outcomes are left to the sweep.

    :raises NotFound: there is no such account of the principal, or not at the broker yet.
    :raises AccountOver: the account is closed.
    :raises DocumentRefused: the broker said no.
    """
    upload_id = _record_upload(principal, account_id, document, request, at=at)
    upload = sending.send_once(upload_id, through=DocumentCourier(), at=at)
    if upload.state == IntentState.REJECTED:
        raise DocumentRefused(f"The broker refused the document: {upload.reason}")
    return upload


def _record_upload(
    principal: Principal,
    account_id: str | UUID,
    document: Document,
    request: idempotency.Request | None,
    *,
    at: datetime,
) -> UUID:
    account = selectors.get_account(principal=principal, account_id=account_id)
    selectors.broker_id_of(account)
    wanted = new_id()
    with acting_as(principal):
        if request is not None:
            request.concerns(account.pk)
        claimed = idempotency.claim(request, resource_id=wanted)
        if claimed != wanted:
            return claimed
        account = BrokerageAccount.objects.locked(account.pk)
        if account.is_over:
            raise AccountOver
        DocumentUpload.submit(
            account,
            document.content,
            document_type=document.document_type,
            document_sub_type=document.document_sub_type,
            mime_type=document.mime_type,
            request=DocumentRequest.objects.filter(
                account=account, document_type=document.document_type, state=RequestState.OPEN
            ).first(),
            pk=wanted,
            at=at,
        )
    return wanted


def list_statements(
    *, principal: Principal, account_id: str | UUID, filters: Mapping[str, str]
) -> list[Statement]:
    """
    List what the broker has written for an account.

    :raises NotFound: there is no such account of the principal, or not at the broker yet.
    :raises VendorError: the broker could not be read.
    """
    account = selectors.get_account(principal=principal, account_id=account_id)
    return get_brokerage().list_statements(selectors.broker_id_of(account), filters)


def get_statement(*, principal: Principal, account_id: str | UUID, document_id: str) -> Statement:
    """
    Describe one document that the broker has written.

    :raises NotFound: there is no such account of the principal, or no such document in it.
    :raises VendorError: the broker could not be read.
    """
    found = list_statements(principal=principal, account_id=account_id, filters={})
    for statement in found:
        if statement.document_id == document_id:
            return statement
    raise NotFound(NO_DOCUMENT)


def read_statement(
    *, principal: Principal, account_id: str | UUID, document_id: str
) -> StatementFile:
    """
    Fetch the content of a document that the broker has written.

    :raises NotFound: there is no such account of the principal, or no such document in it.
    :raises VendorError: the broker could not be read.
    """
    account = selectors.get_account(principal=principal, account_id=account_id)
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise NotFound(NO_DOCUMENT)
    try:
        return get_brokerage().read_statement(selectors.broker_id_of(account), document_id)
    except VendorRejected as error:
        if error.http_status == HTTPStatus.NOT_FOUND:
            raise NotFound(NO_DOCUMENT) from error
        raise
