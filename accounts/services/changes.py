"""Changing what the broker knows of a customer: recorded, sent once, found again if lost."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts import selectors
from accounts.gateways import EMAIL_EXISTS, OpenedAccount, get_brokerage, normal_email
from accounts.models import (
    ONE_CHANGE_AT_A_TIME,
    BrokerageAccount,
    ContactChange,
    email_index,
)
from accounts.services import notices, profiles
from accounts.services.opening import EmailExists
from accounts.services.submissions import AccountOver, broker_account_of
from core import idempotency
from core.auth import SYSTEM, Principal, acting_as
from core.db.violations import broken_constraint
from core.errors import CleraError
from core.ids import new_id
from core.intents import sending
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState

Sections = Mapping[str, Mapping[str, Any]]


class ChangeInProgress(CleraError):
    """The broker has not answered the change before; the two could arrive in either order."""

    code = "change_in_progress"
    status = 409
    detail = "A change of this account's data is still being worked on; try again shortly."


class ChangeRefused(CleraError):
    """The broker gave a clear no."""

    code = "change_refused"
    status = 422
    detail = "The broker refused the change."


class ChangeCourier(Courier[ContactChange]):
    """Carries new contact data to the broker."""

    model = ContactChange
    resends: ClassVar[bool] = False

    def __init__(self) -> None:
        self._shown: dict[UUID, OpenedAccount] = {}

    def send(self, intent: ContactChange) -> Receipt:
        """Set the values; see `Courier.send`."""
        answer = get_brokerage().change_account(broker_account_of(intent), intent.changes())
        return self._accepted(intent, answer)

    def find(self, intent: ContactChange) -> Receipt | None:
        """
        See whether the broker has the new values.

        Twice no, ten seconds apart, is a no: the customer may ask again, and setting the same
        values a second time would do no harm.
        """
        answer = get_brokerage().get_account(broker_account_of(intent))
        if intent.is_in(answer.sections):
            return self._accepted(intent, answer)
        if intent.looks == 0:
            return None
        why = "The broker did not take it over; please submit it again."
        return Receipt("", is_accepted=False, reason=why)

    def settled(
        self,
        intent: ContactChange,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,  # noqa: ARG002
    ) -> None:
        """Keep what the broker knows now, and tell the customer that it changed."""
        shown = self._shown.pop(intent.pk, None)
        if shown is not None and intent.is_accepted:
            account = BrokerageAccount.objects.locked(intent.account_id)
            profiles.keep(account, shown)
            notices.tell_profile_changed(account, intent.fields)

    def _accepted(self, intent: ContactChange, answer: OpenedAccount) -> Receipt:
        self._shown[intent.pk] = answer
        return Receipt(answer.status)


def change_contact(
    *,
    principal: Principal,
    account_id: str | UUID,
    changes: Sections,
    request: idempotency.Request | None,
    at: datetime,
) -> ContactChange:
    """
    Record new contact data and send it once; unsure outcomes are left to the sweep.

    :raises NotFound: there is no such account of the principal, or not at the broker yet.
    :raises AccountOver: it is closed.
    :raises ChangeInProgress: an earlier change has not ended.
    :raises EmailExists: the new address belongs to another account.
    :raises ChangeRefused: the broker said no.
    """
    change_id = _record_change(principal, account_id, changes, request, at=at)
    change = sending.send_once(change_id, through=ChangeCourier(), at=at)
    if change.state == IntentState.REJECTED:
        if change.vendor_status == EMAIL_EXISTS:
            raise EmailExists
        raise ChangeRefused(f"The broker refused the change: {change.reason}")
    return change


def _record_change(
    principal: Principal,
    account_id: str | UUID,
    changes: Sections,
    request: idempotency.Request | None,
    *,
    at: datetime,
) -> UUID:
    account = selectors.get_account(principal=principal, account_id=account_id)
    selectors.broker_id_of(account)
    _refuse_taken_address(account, changes)
    wanted = new_id()
    with acting_as(principal):
        if request is not None:
            request.concerns(account.pk)
        claimed = idempotency.claim(request, resource_id=wanted)
        if claimed != wanted:
            return claimed
        # Written before the account is locked: the change before, while it is being settled, is
        # waited for here, and wants the account next.
        try:
            with transaction.atomic():
                ContactChange.submit(account, changes, pk=wanted, at=at)
        except IntegrityError as error:
            if broken_constraint(error) == ONE_CHANGE_AT_A_TIME:
                raise ChangeInProgress(retry_after_seconds=2) from error
            raise
        if BrokerageAccount.objects.locked(account.pk).is_over:
            raise AccountOver
    return wanted


def _refuse_taken_address(account: BrokerageAccount, changes: Sections) -> None:
    """Say early what the broker would say; only the system sees other customers' rows."""
    email = changes.get("contact", {}).get("email_address")
    if email is None:
        return
    with acting_as(SYSTEM):
        others = BrokerageAccount.objects.live().exclude(pk=account.pk)
        if others.filter(email_index=email_index(normal_email(email))).exists():
            raise EmailExists
