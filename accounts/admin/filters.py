"""Filters of accounts that answer "who is stuck?" and "whose turn is it?"."""

from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef, Q

from accounts.admin import waits
from accounts.gateways import EMAIL_EXISTS
from accounts.models import BrokerageAccount, ContactChange
from core.backoffice.filters import STUCK, ChosenFilter
from core.clock import Now
from core.intents.states import IntentState

CUSTOMER_PATIENCE: Final = timedelta(days=3)
BROKER_PATIENCE: Final = timedelta(days=1)

# A change came after the refused one, and was taken over: the address is settled.
_LATER_CHANGE: Final = ContactChange.objects.filter(
    account=OuterRef("account"), state=IntentState.ACCEPTED, created_at__gt=OuterRef("created_at")
)
_REFUSED_CHANGES: Final = ContactChange.objects.filter(
    ~Exists(_LATER_CHANGE), state=IntentState.REJECTED, vendor_status=EMAIL_EXISTS
)
_LIVE_ACCOUNT: Final = BrokerageAccount.objects.live().filter(user_id=OuterRef("user_id"))
_REFUSED: Final = Q(state=IntentState.REJECTED, vendor_status=EMAIL_EXISTS)
# PostgreSQL keeps this order: the question about other accounts is asked of the refused only.
_EMAIL_TAKEN: Final = Q(pk__in=_REFUSED_CHANGES.values("account")) | (
    _REFUSED & Q(~Exists(_LIVE_ACCOUNT))
)


def _for_longer(whom: str, patience: timedelta) -> Q:
    return waits.waiting_for(whom) & Q(waits_since__lt=Now() - patience)


class StuckAccountFilter(ChosenFilter):
    """Accounts that somebody should look at, by the reason."""

    title = "who is stuck"
    parameter_name = "stuck"
    conditions = {
        "any": (
            "Stuck in any way",
            waits.waiting_for(waits.US)
            | _for_longer(waits.CUSTOMER, CUSTOMER_PATIENCE)
            | _for_longer(waits.BROKER, BROKER_PATIENCE)
            | _EMAIL_TAKEN,
        ),
        "customer": (
            f"The customer, for over {CUSTOMER_PATIENCE.days} days",
            _for_longer(waits.CUSTOMER, CUSTOMER_PATIENCE),
        ),
        "broker": ("The broker, for over a day", _for_longer(waits.BROKER, BROKER_PATIENCE)),
        "review": STUCK["review"],
        "unknown": STUCK["unknown"],
        "late": STUCK["late"],
        "status": ("A status we do not know", waits.UNKNOWN_STATUS),
        "requests": ("We have asked for a document", waits.ASKED_FOR),
        "uploads": ("A document is not decided", waits.UPLOADING),
        "changes": ("A change of data is not decided", waits.CHANGING),
        "email": ("The e-mail address was refused as taken", _EMAIL_TAKEN),
        "frozen": ("Frozen", Q(frozen_at__isnull=False)),
    }


class TurnFilter(ChosenFilter):
    """Accounts by who has to act."""

    title = "whose turn"
    parameter_name = "turn"
    conditions = {
        whom: (words[:1].upper() + words[1:], waits.waiting_for(whom))
        for whom, words in waits.WHOSE_TURN.items()
    }
