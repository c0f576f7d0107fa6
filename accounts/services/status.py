"""Following what the broker makes of accounts: by its events, and by asking when they fail."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from accounts import selectors, states
from accounts.events import AccountStatusChanged
from accounts.gateways import OpenedAccount, StatusNews, get_brokerage
from accounts.models import BrokerageAccount
from accounts.services import mirror, notices, profiles
from accounts.services.opening import SOURCE, alarm_if_unknown
from core import feeds, inbox
from core.auth import SYSTEM, Principal, acting_as
from core.clock import Now
from core.db.many_rows import save_columns
from core.errors import NotFound, VendorError
from core.events import publish
from core.intents.models import IntentStep
from core.intents.states import IntentState
from core.jobs import enqueue

logger = structlog.get_logger()
# An account on the move is asked about often; one at rest now and then, in case its news was lost.
MOVING_EVERY: Final = timedelta(seconds=30)
RESTING_EVERY: Final = timedelta(hours=6)
REFRESH_BATCH: Final = 50
_TAKEN_OVER: Final = ("vendor_status", "vendor_status_at", "requirements", "crypto_status")


def lock_account(*, account_id: UUID) -> BrokerageAccount:
    """
    Lock an account until the caller's transaction ends; the caller is acting as somebody.

    :raises NotFound: there is none that the caller may see.
    """
    account = BrokerageAccount.objects.locking().filter(pk=account_id).first()
    if account is None:
        raise NotFound(selectors.NO_ACCOUNT)
    return account


def follow_events() -> bool:
    """Keep the broker's account events while this process leads; false when another one does."""
    return feeds.follow(
        SOURCE,
        get_brokerage().status_feed(),
        on_kept=lambda: enqueue("accounts.apply_events"),
        on_lost=lambda _why: enqueue("accounts.heal_accounts"),
    )


def apply_events() -> int:
    """Apply the account events that wait in the inbox and say how many there were."""
    return inbox.apply_together(SOURCE, _apply_events)


def _apply_events(payloads: Sequence[Mapping[str, Any]]) -> list[int]:
    """
    Take over the statuses that events tell, in their order; repeating it changes nothing.

    Returns the places of those about accounts whose opening may just be being recorded.
    """
    told = [get_brokerage().read_news(payload) for payload in payloads]
    with acting_as(SYSTEM):
        # Asked first: whoever is recorded after this question has also no news before it.
        may_be_recorded_soon = BrokerageAccount.objects.filter(
            state__in=[IntentState.SENDING, IntentState.UNKNOWN]
        ).exists()
        accounts = _lock_named({news.broker_account_id for news in told})
        known = [(accounts.get(news.broker_account_id), news) for news in told]
        _take_in((account, news) for account, news in known if account is not None)
    strangers = [place for place, (account, _) in enumerate(known) if account is None]
    if may_be_recorded_soon:
        return strangers
    for place in strangers:
        logger.warning("account.not_ours", broker_account_id=told[place].broker_account_id)
    return []


def _lock_named(broker_account_ids: set[str]) -> dict[str, BrokerageAccount]:
    """Lock several accounts at once, always in the same order."""
    rows = BrokerageAccount.objects.locking()
    found = rows.filter(broker_account_id__in=broker_account_ids).order_by("pk")
    return {account.broker_account_id: account for account in found}


def _take_in(told: Iterable[tuple[BrokerageAccount, StatusNews]]) -> None:
    """
    Take over what was told of locked accounts, write it at once, and pass the changes on.

    An account told of twice is written once; its history has both steps.
    """
    steps: list[IntentStep] = []
    touched: dict[UUID, BrokerageAccount] = {}
    moved: list[tuple[BrokerageAccount, dict[str, Any]]] = []
    for account, news in told:
        alarm_if_unknown(news.status, broker_account_id=account.broker_account_id)
        is_new, step = account.take_over(news.status, at=news.at)
        if step is not None:
            steps.append(step)
        is_wanted = _take_requirements(account, news) if is_new or step is None else False
        touched[account.pk] = account
        if is_new:
            logger.info("account.status_changed", id=str(account.pk), status=account.vendor_status)
            publish(AccountStatusChanged(account.pk, account.vendor_status))
        if is_new or is_wanted:
            moved.append((account, notices.status_of(account)))
    save_columns(touched.values(), _TAKEN_OVER)
    IntentStep.objects.bulk_create(steps)
    notices.tell_statuses(moved)
    if moved:
        mirror.request_mirror()


def _take_requirements(account: BrokerageAccount, news: StatusNews) -> bool:
    """Keep what the broker wants to see now; a status that wants nothing clears the list."""
    wanted = account.requirements if news.requirements is None else list(news.requirements)
    if news.status not in states.WANTING and news.status in states.KNOWN:
        wanted = []
    is_new: bool = wanted != account.requirements
    account.requirements = wanted
    account.crypto_status = news.crypto_status[:64] or account.crypto_status
    return is_new


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


def refresh_due() -> int:
    """
    Ask the broker about the accounts whose turn it is, and say how many there were.

    One that cannot be read, or not be written down, does not stop the others.
    """
    with acting_as(SYSTEM):
        due = list(BrokerageAccount.objects.to_refresh()[:REFRESH_BATCH])
    for account in due:
        try:
            _refresh(account)
        except VendorError as error:
            _postpone(account)
            logger.warning("account.refresh_failed", id=str(account.pk), error=error.code)
        except Exception:
            _postpone(account)
            logger.exception("account.refresh_broken", id=str(account.pk))
    return len(due)


def heal_accounts() -> int:
    """
    Make every account due to be read again, because events were lost; the next passes read them.

    Returns how many there are.
    """
    with acting_as(SYSTEM):
        open_accounts = BrokerageAccount.objects.filter(state=IntentState.ACCEPTED)
        count = open_accounts.exclude(vendor_status__in=sorted(states.OVER)).update(due_at=Now())
    enqueue("accounts.refresh_accounts")
    return count


def _refresh(seen: BrokerageAccount) -> None:
    """Read one account; what an event has changed meanwhile is newer and stays."""
    answer = get_brokerage().get_account(seen.broker_account_id)
    with acting_as(SYSTEM):
        account = BrokerageAccount.objects.locked(seen.pk)
        is_untouched = (account.vendor_status, account.vendor_status_at) == (
            seen.vendor_status,
            seen.vendor_status_at,
        )
        if is_untouched:
            _take_in([(account, _as_news(answer))])
        profiles.keep(account, answer)
        account.due_at = Now() + _pause(account)
        account.save(update_fields=["due_at"])
    has_drifted = is_untouched and account.vendor_status != seen.vendor_status
    if has_drifted and seen.vendor_status in states.RESTING:
        # Its event is late by hours, so it was lost.
        logger.error("account.drifted", id=str(account.pk), status=account.vendor_status)


def _as_news(answer: OpenedAccount) -> StatusNews:
    """Read an account's record as news of which the time is not known."""
    return StatusNews(
        answer.broker_account_id,
        answer.status,
        at=None,
        requirements=answer.requirements,
        crypto_status=answer.crypto_status,
    )


def _postpone(account: BrokerageAccount) -> None:
    """Let the others have their turn before one that could not be read."""
    with acting_as(SYSTEM):
        BrokerageAccount.objects.filter(pk=account.pk).update(due_at=Now() + MOVING_EVERY)


def _pause(account: BrokerageAccount) -> timedelta:
    return RESTING_EVERY if account.vendor_status in states.RESTING else MOVING_EVERY
