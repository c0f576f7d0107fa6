"""Who waits for whom: the one table that says why an account does not move, and since when."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from accounts import states
from accounts.models import BrokerageAccount, ContactChange, DocumentRequest, DocumentUpload
from accounts.states import RequestState
from core.intents.models import IntentStep
from core.intents.states import UNDECIDED, IntentState

CUSTOMER: Final = "customer"
BROKER: Final = "broker"
US: Final = "us"
NOBODY: Final = "nobody"
WHOSE_TURN: Final = {
    US: "we have to act",
    CUSTOMER: "the customer has to act",
    BROKER: "the broker has to act",
    NOBODY: "nobody waits",
}
# The broker goes no further before the customer has done something. In the other statuses it may
# name open points too, such as a hit on a watch list, which are for its own people to settle.
_CUSTOMER_ACTS: Final = frozenset({"ACTION_REQUIRED", "EDITED", "INACTIVE"})
_BROKER_ACTS: Final = states.KNOWN - states.RESTING - _CUSTOMER_ACTS
_OVER: Final = Q(state__in=[IntentState.REJECTED, IntentState.CANCELED]) | Q(
    state=IntentState.ACCEPTED, vendor_status__in=sorted(states.OVER)
)
OPEN_REQUESTS: Final = DocumentRequest.objects.filter(state=RequestState.OPEN)
UNDECIDED_CHANGES: Final = ContactChange.objects.filter(state__in=sorted(UNDECIDED))
UNDECIDED_UPLOADS: Final = DocumentUpload.objects.filter(state__in=sorted(UNDECIDED))
# The list of ids is read once for all rows; a question per row would be asked for each of them.
ASKED_FOR: Final = Q(pk__in=OPEN_REQUESTS.values("account"))
CHANGING: Final = Q(pk__in=UNDECIDED_CHANGES.values("account"))
UPLOADING: Final = Q(pk__in=UNDECIDED_UPLOADS.values("account"))
UNKNOWN_STATUS: Final = Q(state=IntentState.ACCEPTED) & ~Q(vendor_status__in=sorted(states.KNOWN))


def _oldest(rows: QuerySet[Any]) -> Combinable:
    """Find when the oldest of an account's rows was written."""
    theirs = rows.filter(account=OuterRef("pk")).order_by().values("account")
    return Subquery(theirs.annotate(oldest=Min("created_at")).values("oldest"))


# A status that was read, and not told, has no time of the broker's; news that came late changed
# nothing and says why.
_TOLD: Final = Coalesce(
    Subquery(
        IntentStep.objects.filter(
            intent_id=OuterRef("pk"), vendor_status=OuterRef("vendor_status"), reason=""
        )
        .order_by("-id")
        .annotate(told=Coalesce("vendor_at", "at"))
        .values("told")[:1]
    ),
    F("vendor_status_at"),
    F("created_at"),
)


@dataclass(frozen=True)
class Wait:
    """One reason why an account does not move."""

    code: str
    whom: str
    when: Q
    since: Combinable
    words: str


# The first that holds is the one that is told: what we have to do comes before anything else.
WAITS: Final = (
    Wait(
        "review",
        US,
        Q(state=IntentState.NEEDS_REVIEW),
        F("created_at"),
        "The broker shows no trace of the application. Look for it at the broker; dismiss the"
        " application if it never arrived.",
    ),
    Wait(
        "application",
        US,
        Q(state__in=sorted(UNDECIDED)),
        F("created_at"),
        "The application is on its way, or the broker's answer to it is missing; the sweep is"
        " looking for it.",
    ),
    Wait(
        "unknown_status",
        US,
        UNKNOWN_STATUS,
        _TOLD,
        "The broker uses a status that we do not know. Ask what it means.",
    ),
    Wait(
        "frozen",
        US,
        Q(frozen_at__isnull=False),
        F("frozen_at"),
        "Orders and transfers are stopped until an approver lifts the freeze.",
    ),
    Wait(
        "change",
        US,
        CHANGING,
        _oldest(UNDECIDED_CHANGES),
        "A change of contact data is not decided.",
    ),
    Wait(
        "upload",
        US,
        UPLOADING,
        _oldest(UNDECIDED_UPLOADS),
        "A document that the customer handed in has not reached the broker for certain.",
    ),
    Wait(
        "customer_status",
        CUSTOMER,
        Q(vendor_status__in=sorted(_CUSTOMER_ACTS)),
        _TOLD,
        "The broker goes no further before the customer acts.",
    ),
    Wait(
        "document",
        CUSTOMER,
        ASKED_FOR,
        _oldest(OPEN_REQUESTS),
        "We have asked the customer for a document.",
    ),
    Wait(
        "broker",
        BROKER,
        Q(vendor_status__in=sorted(_BROKER_ACTS)),
        _TOLD,
        "The broker is working on it.",
    ),
)
_BY_CODE: Final = {wait.code: wait for wait in WAITS}


def with_waits(accounts: QuerySet[BrokerageAccount]) -> QuerySet[Any]:
    """Say in the same query why each account waits, since when, and which documents we want."""
    return accounts.annotate(
        wait=_first_of({wait.code: Value(wait.code) for wait in WAITS}, CharField(), Value("")),
        waits_since=_first_of(
            {wait.code: wait.since for wait in WAITS}, DateTimeField(), Value(None)
        ),
        wanted=ArraySubquery(
            OPEN_REQUESTS.filter(account=OuterRef("pk"))
            .order_by("created_at")
            .values("document_type")
        ),
    )


def _first_of(values: dict[str, Combinable], kind: Any, otherwise: Value) -> Case:
    found = [When(wait.when, then=values[wait.code]) for wait in WAITS]
    return Case(When(_OVER, then=otherwise), *found, default=otherwise, output_field=kind)


def waiting_for(whom: str) -> Q:
    """Ask for the accounts in which somebody has to act; `with_waits` comes before."""
    if whom == NOBODY:
        return Q(wait="")
    return Q(wait__in=[wait.code for wait in WAITS if wait.whom == whom])


def whose_turn(code: str) -> str:
    """Say who has to act for this reason, or for none."""
    return _BY_CODE[code].whom if code else NOBODY


def words(code: str) -> str:
    """Say why an account does not move, and what ends that."""
    return _BY_CODE[code].words if code else "Nobody has to do anything."


def missing(account: Any) -> list[str]:
    """List what somebody wants to see: the broker in its words, then we."""
    return [*account.requirements, *account.wanted]
