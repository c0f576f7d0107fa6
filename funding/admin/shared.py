"""What the pages of funding have in common."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.deeds import Deeds
from core.backoffice.filters import ChosenFilter
from core.intents.states import IntentState
from funding.models import AchRelationship, ReviewVerdict
from funding.states import VerdictState

PROPOSE: Final = "funding.propose_verdict"
CONFIRM: Final = "funding.confirm_verdict"
RESOLVE: Final = "funding.resolve_transferreturn"
SET_LIMIT: Final = "funding.change_transferlimit"
OF_ACCOUNT: Final = ("account__account_number__exact", "account__broker_account_id__exact")
SEARCH: Final = ("id__exact", "user_id__exact", *OF_ACCOUNT)
WORDS: Final = "Our id, the account's number, the broker's id of the account, the customer's id"
_OPEN_VERDICTS: Final = ReviewVerdict.objects.filter(state=VerdictState.PROPOSED)
OPEN_VERDICT: Final = Exists(_OPEN_VERDICTS.filter(transfer=OuterRef("pk")))
OPEN_BANK_VERDICT: Final = Exists(_OPEN_VERDICTS.filter(relationship=OuterRef("pk")))
_REVIEW: Final = Q(state=IntentState.NEEDS_REVIEW)


class DecisionFilter(ChosenFilter):
    """The work list: transfers of which nobody knows what became of them."""

    title = "who decides"
    parameter_name = "decide"
    conditions = {
        "any": ("All that is lost", Q(state=IntentState.UNKNOWN) | _REVIEW),
        "machine": ("The machine is looking", Q(state=IntentState.UNKNOWN)),
        "operator": ("An operator has to find out", _REVIEW & ~Q(OPEN_VERDICT)),
        "approver": ("An approver has to confirm", _REVIEW & Q(OPEN_VERDICT)),
    }


class ReturnedFilter(ChosenFilter):
    """Transfers that a bank has sent back."""

    title = "returned"
    parameter_name = "returned"
    conditions = {
        "yes": ("Returned", Q(returned__isnull=False)),
        "open": ("Returned, the case is open", Q(returned__state="OPEN")),
        "no": ("Not returned", Q(returned__isnull=True)),
    }


# Another customer has a bank of the same number; an empty fingerprint is no number.
_SAME_NUMBER: Final = (
    AchRelationship.objects.shown()
    .filter(number_index=OuterRef("number_index"))
    .exclude(user_id=OuterRef("user_id"))
)
SEEN_ELSEWHERE: Final = ~Q(number_index="") & Q(Exists(_SAME_NUMBER))


class SeenElsewhereFilter(ChosenFilter):
    """Banks that more than one customer has linked."""

    title = "same number"
    parameter_name = "elsewhere"
    conditions = {
        "yes": ("Linked by another customer too", SEEN_ELSEWHERE),
    }


class Desk(Deeds):
    """A table with deeds of funding: a link may name the transfer or the account that is meant."""

    links_fill_in = True


class ShowsMoney:
    """Columns of a row that has an amount and goes one way."""

    @admin.display(description="direction", ordering="direction")
    def way(self, row: Any) -> SafeString:
        return columns.label(row.direction)

    @admin.display(description="amount", ordering="amount")
    def dollars(self, row: Any) -> SafeString | str:
        return columns.dollars(row.amount)
