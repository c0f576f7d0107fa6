"""What a customer sends after the application: changes of contact data, and documents."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models.accounts import BrokerageAccount
from accounts.states import RequestState
from core import crypto
from core.clock import Now
from core.ids import new_id
from core.intents.models import Intent, IntentQuerySet
from core.intents.states import IntentState
from core.models import CustomerOwned

ONE_CHANGE_AT_A_TIME: Final = "accounts_one_change_at_a_time"
ACCOUNT: Final = "accounts.BrokerageAccount"
S = IntentState


class ContactChange(Intent, CustomerOwned):
    """New contact data on its way to the broker; the values ride in `sealed_payload`."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    fields = ArrayField(
        models.CharField(max_length=64), help_text="Which fields are to change, by dotted path."
    )
    values_index = models.CharField(
        max_length=64, editable=False, help_text="Tells whether the broker has the values now."
    )

    objects: ClassVar[Any] = IntentQuerySet["ContactChange"].as_manager()

    class Meta(Intent.Meta):
        constraints = [
            *Intent.Meta.constraints,
            # Two changes at once could reach the broker in either order.
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(state__in=[S.PENDING, S.HELD, S.SENDING, S.UNKNOWN]),
                name=ONE_CHANGE_AT_A_TIME,
            ),
        ]

    def __str__(self) -> str:
        return f"change of {', '.join(self.fields)}"

    # Factories

    @classmethod
    def submit(
        cls,
        account: BrokerageAccount,
        changes: Mapping[str, Mapping[str, Any]],
        *,
        pk: UUID,
        at: datetime,
    ) -> Self:
        """Write a change down; `changes` has the broker's sections with their new values."""
        change = cls(
            id=pk,
            user_id=account.user_id,
            account=account,
            fields=sorted(f"{part}.{name}" for part, values in changes.items() for name in values),
            values_index=_index_of(changes),
        )
        change.seal_payload(json.dumps(changes).encode(), at=at)
        change.save(force_insert=True)
        return change

    # Queries

    def changes(self) -> dict[str, dict[str, Any]]:
        """
        Open the new values, by section.

        :raises Unsealable: they were sent, or are too old.
        """
        opened: dict[str, dict[str, Any]] = json.loads(self.open_payload())
        return opened

    def is_in(self, sections: Mapping[str, Mapping[str, Any]]) -> bool:
        """Say whether these sections, as the broker shows them, have the new values."""
        shown: dict[str, dict[str, Any]] = {}
        for path in self.fields:
            part, name = path.split(".", 1)
            shown.setdefault(part, {})[name] = sections.get(part, {}).get(name)
        return _index_of(shown) == self.values_index


def _index_of(changes: Mapping[str, Mapping[str, Any]]) -> str:
    return crypto.fingerprint(json.dumps(changes, sort_keys=True).encode(), purpose="contact")


class DocumentRequest(CustomerOwned):
    """Our staff asks a customer for a document."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    document_type = models.CharField(max_length=64)
    note = models.CharField(max_length=300, help_text="What the customer reads.")
    state = models.CharField(max_length=10, choices=RequestState.choices, default=RequestState.OPEN)
    requested_by = models.CharField(max_length=300)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=RequestState.values), name="accounts_documentrequest_state"
            ),
            models.UniqueConstraint(
                fields=["account", "document_type"],
                condition=Q(state=RequestState.OPEN),
                name="accounts_one_open_request",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_type} wanted"

    # Mutators

    def settle(self, state: RequestState, *, at: datetime) -> None:
        """End the request: the document has come, or nobody wants it any more."""
        self.state, self.settled_at = state, at
        self.save(update_fields=["state", "settled_at"])


class DocumentUploadQuerySet(IntentQuerySet["DocumentUpload"]):
    def answered_since(self, moment: datetime) -> Self:
        """Keep those that the broker took at once, so that we do not know what it calls them."""
        return self.filter(state=IntentState.ACCEPTED, broker_document_id="", sent_at__gte=moment)


class DocumentUpload(Intent, CustomerOwned):
    """A document on its way to the broker; its content rides in `sealed_payload`."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    request: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        DocumentRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    document_type = models.CharField(max_length=64)
    document_sub_type = models.CharField(max_length=64, blank=True)
    mime_type = models.CharField(max_length=64)
    size_bytes = models.PositiveIntegerField()
    content_index = models.CharField(max_length=64, editable=False)
    broker_document_id = models.CharField(max_length=64, blank=True)

    objects = DocumentUploadQuerySet.as_manager()

    class Meta(Intent.Meta):
        indexes = [
            *Intent.Meta.indexes,
            models.Index(fields=["account", "-created_at"], name="accounts_uploads_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.document_type} ({self.size_bytes} bytes)"

    # Factories

    @classmethod
    def submit(
        cls,
        account: BrokerageAccount,
        content: bytes,
        *,
        document_type: str,
        document_sub_type: str,
        mime_type: str,
        request: DocumentRequest | None,
        pk: UUID,
        at: datetime,
    ) -> Self:
        """Write an upload down; of the content only a keyed fingerprint stays."""
        upload = cls(
            id=pk,
            user_id=account.user_id,
            account=account,
            request=request,
            document_type=document_type,
            document_sub_type=document_sub_type,
            mime_type=mime_type,
            size_bytes=len(content),
            content_index=crypto.fingerprint(content, purpose="document"),
        )
        upload.seal_payload(content, at=at)
        upload.save(force_insert=True)
        return upload
