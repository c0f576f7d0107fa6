"""Opening brokerage accounts: the application is recorded, sent once, and found again if lost."""

from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from accounts import states
from accounts.events import AccountStatusChanged
from accounts.gateways import EMAIL_EXISTS, Application, OpenedAccount, get_brokerage
from accounts.models import ONE_PER_CUSTOMER, BrokerageAccount, Person
from accounts.services import mirror, notices
from core import idempotency, inbox
from core.auth import SYSTEM, Principal, acting_as
from core.db.violations import broken_constraint
from core.errors import CleraError, NotFound
from core.events import publish
from core.ids import new_id
from core.intents import sending
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from core.jobs import enqueue

logger = structlog.get_logger()
SOURCE: Final = "alpaca.accounts"
# The broker's clock and ours may differ by this much.
CLOCK_SKEW: Final = timedelta(minutes=5)


class EmailExists(CleraError):
    """Another live account, here or at the broker, has the address."""

    code = EMAIL_EXISTS
    status = 409
    detail = (
        "An account with this e-mail address exists already, open or closed."
        " Sign in with the login it belongs to, or apply with another address."
    )


class AccountExists(CleraError):
    """A customer has one live account for now."""

    code = "account_exists"
    status = 409
    detail = "You have a brokerage account already; use that one."


class ApplicationRefused(CleraError):
    """The broker gave a clear no."""

    code = "application_refused"
    status = 422
    detail = "The broker refused the application."


class ApplicationCourier(Courier[BrokerageAccount]):
    """Carries an application to the broker; the broker refuses a second one with its e-mail."""

    model = BrokerageAccount
    resends: ClassVar[bool] = False

    def send(self, intent: BrokerageAccount) -> Receipt:
        """Submit the application; see `Courier.send`."""
        application = Application.from_bytes(intent.open_payload())
        return self._receipt(get_brokerage().open_account(application))

    def find(self, intent: BrokerageAccount) -> Receipt | None:
        """
        Look for the account by e-mail.

        One that is older than our sending, or that another row holds, is not ours: to link it
        would hand its owner's money to whoever typed the address in.
        """
        found = get_brokerage().find_by_email(intent.person().email)
        if not found or any(account.created_at is None for account in found):
            return None
        ours = [account for account in found if _can_be_of(intent, account)]
        if not ours:
            return Receipt(EMAIL_EXISTS, is_accepted=False, reason=EmailExists.detail)
        return self._receipt(ours[0])

    def settled(
        self,
        intent: BrokerageAccount,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,  # noqa: ARG002
    ) -> None:
        """Tell the other apps and the customer, and forget who was refused."""
        notices.tell_status(intent)
        if intent.state in {IntentState.REJECTED, IntentState.CANCELED}:
            intent.forget_person()
        if intent.is_accepted:
            publish(AccountStatusChanged(intent.pk, intent.vendor_status))
            mirror.request_mirror()
            inbox.wake(SOURCE)  # news may have come before the answer
            enqueue("accounts.apply_events")

    def _receipt(self, account: OpenedAccount) -> Receipt:
        alarm_if_unknown(account.status, broker_account_id=account.broker_account_id)
        return Receipt(
            account.status,
            changes={
                "broker_account_id": account.broker_account_id,
                "account_number": account.account_number,
                "crypto_status": account.crypto_status[:64],
                "requirements": list(account.requirements),
            },
        )


def _can_be_of(intent: BrokerageAccount, account: OpenedAccount) -> bool:
    if intent.sent_at is None or account.created_at is None:
        return False
    if account.created_at < intent.sent_at - CLOCK_SKEW:
        return False
    with acting_as(SYSTEM):
        taken = BrokerageAccount.objects.filter(broker_account_id=account.broker_account_id)
        return not taken.exclude(pk=intent.pk).exists()


def open_account(
    *,
    principal: Principal,
    application: Application,
    request: idempotency.Request | None,
    at: datetime,
) -> BrokerageAccount:
    """
    Record the application and submit it once; unsure outcomes are left to the sweep.

    :raises AccountExists: the customer has a live account.
    :raises EmailExists: somebody has, here or at the broker, with this address.
    :raises ApplicationRefused: the broker said no.
    """
    account_id = _record_application(principal, application, request, at=at)
    account = sending.send_once(account_id, through=ApplicationCourier(), at=at)
    if account.state == IntentState.REJECTED:
        if account.vendor_status == EMAIL_EXISTS:
            raise EmailExists
        raise ApplicationRefused(f"The broker refused the application: {account.reason}")
    return account


def _record_application(
    principal: Principal,
    application: Application,
    request: idempotency.Request | None,
    *,
    at: datetime,
) -> UUID:
    if principal.user_id is None:
        raise NotFound("Name the customer whose account it is.")
    wanted = new_id()
    with acting_as(principal):
        account_id = idempotency.claim(request, resource_id=wanted)
        if account_id != wanted:
            return account_id
        existing = BrokerageAccount.objects.live().first()
        if existing is not None:
            raise AccountExists(extra={"account_id": existing.public_id})
        try:
            with transaction.atomic():
                BrokerageAccount.apply(
                    person_of(application),
                    secret=application.to_bytes(),
                    pk=account_id,
                    user_id=principal.user_id,
                    at=at,
                )
        except IntegrityError as error:
            raise _as_conflict(error) from error
    return account_id


def person_of(application: Application) -> Person:
    """Take from an application what is kept of it."""
    return Person(
        contact=application.contact,
        identity=application.identity,
        trusted_contact=application.more.get("trusted_contact"),
    )


def _as_conflict(error: IntegrityError) -> CleraError:
    """Only the database sees other customers' rows; its verdict becomes words."""
    return AccountExists() if broken_constraint(error) == ONE_PER_CUSTOMER else EmailExists()


def alarm_if_unknown(status: str, *, broker_account_id: str) -> None:
    """Report a word we do not know; it is kept, opens nothing, and somebody must learn it."""
    if status not in states.KNOWN:
        logger.error(
            "account.unknown_status", status=status[:64], broker_account_id=broker_account_id
        )


def dismiss(*, account_id: UUID, at: datetime) -> BrokerageAccount:
    """
    Record an operator's finding that the broker never got an application under review.

    Any other stays as it is. From then on the customer may apply again.
    """
    return sending.dismiss(account_id, through=ApplicationCourier(), at=at)
