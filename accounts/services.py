"""Opening brokerage accounts, and following what the broker makes of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from accounts import selectors, states
from accounts.events import AccountStatusChanged
from accounts.gateways import (
    EMAIL_EXISTS,
    Application,
    OpenedAccount,
    get_brokerage,
)
from accounts.models import ONE_PER_CUSTOMER, BrokerageAccount, Person
from core import feeds, idempotency, inbox
from core.auth import SYSTEM, Principal, acting_as
from core.clock import Now
from core.db.violations import broken_constraint
from core.errors import CleraError, NotFound, VendorError
from core.events import publish
from core.ids import new_id
from core.intents import sending, sweeping
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from core.jobs import enqueue

logger = structlog.get_logger()
SOURCE: Final = "alpaca.accounts"
# The broker's clock and ours may differ by this much.
CLOCK_SKEW: Final = timedelta(minutes=5)
REFRESH_EVERY: Final = timedelta(seconds=30)
REFRESH_BATCH: Final = 50


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
        found = get_brokerage().find_by_email(intent.profile()["email"])
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
        """Tell the other apps of a new account, and forget who was refused."""
        if intent.state in {IntentState.REJECTED, IntentState.CANCELED}:
            intent.forget_person()
        if intent.is_accepted:
            publish(AccountStatusChanged(intent.pk, intent.vendor_status))
            enqueue("accounts.apply_events")  # news may have come before the answer

    def _receipt(self, account: OpenedAccount) -> Receipt:
        _alarm_if_unknown(account.status, broker_account_id=account.broker_account_id)
        return Receipt(
            account.status,
            changes={
                "broker_account_id": account.broker_account_id,
                "account_number": account.account_number,
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
        account_id = idempotency.claim(request, resource_id=wanted) if request else wanted
        if account_id != wanted:
            return account_id
        existing = BrokerageAccount.objects.live().first()
        if existing is not None:
            raise AccountExists(extra={"account_id": existing.public_id})
        try:
            with transaction.atomic():
                BrokerageAccount.apply(
                    _person(application),
                    secret=application.to_bytes(),
                    pk=account_id,
                    user_id=principal.user_id,
                    at=at,
                )
        except IntegrityError as error:
            raise _as_conflict(error) from error
    return account_id


def _person(application: Application) -> Person:
    identity = application.identity
    return Person(
        email=application.email,
        tax_id="".join(filter(str.isalnum, str(identity.get("tax_id", "")))),
        given_name=str(identity.get("given_name", "")),
        family_name=str(identity.get("family_name", "")),
    )


def _as_conflict(error: IntegrityError) -> CleraError:
    """Only the database sees other customers' rows; its verdict becomes words."""
    return AccountExists() if broken_constraint(error) == ONE_PER_CUSTOMER else EmailExists()


def lock_account(*, account_id: UUID) -> BrokerageAccount:
    """
    Lock an account until the caller's transaction ends; the caller is acting as somebody.

    :raises NotFound: there is none that the caller may see.
    """
    account = BrokerageAccount.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise NotFound(selectors.NO_ACCOUNT)
    return account


def sweep_applications(*, at: datetime) -> dict[str, int]:
    """Move on every application that waits, then apply the news that waited for it."""
    touched = sweeping.sweep(through=ApplicationCourier(), at=at)
    return {**touched, "applied": apply_events()}


def follow_events() -> bool:
    """Keep the broker's account events while this process leads; false when another one does."""
    return feeds.follow(
        SOURCE,
        get_brokerage().status_feed(),
        on_kept=lambda: enqueue("accounts.apply_events"),
        on_lost=lambda _why: enqueue("accounts.refresh_accounts"),
    )


def apply_events() -> int:
    """Apply the account events that wait in the inbox and say how many there were."""
    return inbox.apply_waiting(SOURCE, _apply_event)


def _apply_event(payload: Mapping[str, Any]) -> None:
    """
    Take over the status an event tells; repeating it changes nothing.

    :raises NotYet: it may be about an account whose opening is just being recorded.
    """
    news = get_brokerage().read_news(payload)
    with acting_as(SYSTEM):
        # Asked first: whoever is recorded after this question has also no news before it.
        may_be_recorded_soon = BrokerageAccount.objects.filter(
            state__in=[IntentState.SENDING, IntentState.UNKNOWN]
        ).exists()
        rows = BrokerageAccount.objects.select_for_update()
        account = rows.filter(broker_account_id=news.broker_account_id).first()
        if account is not None:
            _note(account, news.status, at=news.at)
        elif may_be_recorded_soon:
            raise inbox.NotYet
        else:
            logger.warning("account.not_ours", broker_account_id=news.broker_account_id)


def refresh_account(*, principal: Principal, account_id: str | UUID) -> BrokerageAccount:
    """
    Ask the broker for the status of one account now.

    :raises NotFound: there is none, or the broker has not opened it yet.
    :raises VendorError: the broker could not be read.
    """
    account = selectors.get_account(principal=principal, account_id=account_id)
    selectors.broker_id_of(account)
    _refresh(account)
    return selectors.get_account(principal=principal, account_id=account.pk)


def dismiss(*, account_id: UUID, at: datetime) -> BrokerageAccount:
    """
    Record an operator's finding that the broker never got an application under review.

    Any other stays as it is. From then on the customer may apply again.
    """
    return sending.dismiss(account_id, through=ApplicationCourier(), at=at)


def refresh_accounts(*, at: datetime) -> int:
    """
    Ask the broker about accounts whose status is moving, in case its events are late.

    Returns how many were due, with the applications under review.
    """
    with acting_as(SYSTEM):
        moving = BrokerageAccount.objects.moving().filter(due_at__lte=Now())
        accounts = list(moving.order_by("due_at")[:REFRESH_BATCH])
    for account in accounts:
        try:
            _refresh(account)
        except VendorError as error:
            logger.warning("account.refresh_failed", id=str(account.pk), error=error.code)
    return len(accounts) + sweeping.look_again(through=ApplicationCourier(), at=at)


def _refresh(seen: BrokerageAccount) -> None:
    """Read one account; what an event has changed meanwhile is newer and stays."""
    answer = get_brokerage().get_account(seen.broker_account_id)
    with acting_as(SYSTEM):
        account = BrokerageAccount.objects.locked(seen.pk)
        account.due_at = Now() + REFRESH_EVERY
        account.save(update_fields=["due_at"])
        is_untouched = (account.vendor_status, account.vendor_status_at) == (
            seen.vendor_status,
            seen.vendor_status_at,
        )
        if is_untouched:
            _note(account, answer.status, at=None)


def _note(account: BrokerageAccount, status: str, *, at: datetime | None) -> None:
    _alarm_if_unknown(status, broker_account_id=account.broker_account_id)
    if account.note_status(status, at=at):
        logger.info("account.status_changed", id=str(account.pk), status=account.vendor_status)
        publish(AccountStatusChanged(account.pk, account.vendor_status))


def _alarm_if_unknown(status: str, *, broker_account_id: str) -> None:
    """Report a word we do not know; it is kept, opens nothing, and somebody must learn it."""
    if status not in states.KNOWN:
        logger.error(
            "account.unknown_status", status=status[:64], broker_account_id=broker_account_id
        )


__all__ = [
    "AccountExists",
    "ApplicationCourier",
    "ApplicationRefused",
    "EmailExists",
    "apply_events",
    "dismiss",
    "follow_events",
    "lock_account",
    "open_account",
    "refresh_account",
    "refresh_accounts",
    "sweep_applications",
]
