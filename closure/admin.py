"""Closures: how far each has come, what stands in its way, and what staff does about it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant

from closure.models import ClosingRequest, Closure, ClosureStep
from closure.services import review
from closure.states import ClosureState
from core.auth import Principal
from core.backoffice import columns
from core.backoffice.admin import ReadOnlyInline
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.deeds import Deed, Deeds, NothingForm, Question
from core.backoffice.filters import AgeFilter, ChosenFilter
from core.intents.admin import IntentAdmin

OPERATE: Final = "closure.operate_closure"
CONFIRM: Final = "closure.confirm_closure"
_OF_ACCOUNT: Final = ("account__account_number__exact", "account__broker_account_id__exact")
_REVIEW: Final = Q(state=ClosureState.NEEDS_REVIEW)


def _resume(staff: Principal, closure: Closure, given: Mapping[str, Any]) -> str:
    now = timezone.now()
    resumed = review.resume(staff=staff, closure_id=closure.pk, reason=given["reason"], at=now)
    if resumed.state == ClosureState.NEEDS_REVIEW:
        return "Asked for. Somebody else, an approver, has to confirm it."
    return "It goes on."


def _confirm(staff: Principal, closure: Closure, _: Mapping[str, Any]) -> None:
    review.confirm_resume(staff=staff, closure_id=closure.pk, at=timezone.now())


def _hand_back(staff: Principal, closure: Closure, given: Mapping[str, Any]) -> None:
    review.hand_back(staff=staff, closure_id=closure.pk, reason=given["reason"], at=timezone.now())


RESUME: Final = Deed(
    title="Let it go on",
    question="Do this when what stood in its way is settled. Where money is sent once more,"
    " somebody else has to confirm it first.",
    button="Go on",
    fits=lambda closure: closure.state == ClosureState.NEEDS_REVIEW,
    do=_resume,
)
CONFIRMATION: Final = Deed(
    title="Confirm that it goes on",
    question="You confirm what somebody else has asked for. The money is sent to the bank again.",
    button="Confirm",
    done="Confirmed; it goes on.",
    fits=lambda closure: (
        closure.resume_asked_at is not None and closure.state == ClosureState.NEEDS_REVIEW
    ),
    do=_confirm,
    form=NothingForm,
    is_grave=True,
)
HAND_BACK: Final = Deed(
    title="Stop it",
    question="The account stays open and is its owner's again. What was sold stays sold, and what"
    " is on its way to the bank arrives.",
    button="Stop it",
    done="It is stopped, as soon as the worker looks.",
    fits=lambda closure: closure.is_live,
    do=_hand_back,
    is_grave=True,
)


class WorkFilter(ChosenFilter):
    """Closures by who has to act."""

    title = "whose turn"
    parameter_name = "turn"
    conditions = {
        "operator": ("An operator looks into it", _REVIEW & Q(resume_asked_at__isnull=True)),
        "approver": ("An approver confirms", _REVIEW & Q(resume_asked_at__isnull=False)),
        "waiting": (
            "It waits for something unusual",
            Q(state=ClosureState.RUNNING) & ~Q(problem=""),
        ),
    }


class Steps(ReadOnlyInline):
    """What was done, the oldest first."""

    model = ClosureStep
    fields = ("at", "step", "what", "words", "ids")
    readonly_fields = fields
    verbose_name_plural = "What was done"

    @admin.display(description="with what")
    def ids(self, step: ClosureStep) -> SafeString | str:
        return columns.lines([f"{name}: {_text(told)}" for name, told in step.details.items()])


def _text(told: Any) -> str:
    return ", ".join(map(str, told)) if isinstance(told, list) else str(told)


@admin.register(Closure)
class ClosureAdmin(ExportsCsv, Deeds):
    """Accounts on their way to being closed."""

    waiting_states = (ClosureState.NEEDS_REVIEW, ClosureState.RUNNING)
    list_display = (
        "confirmation_number",
        "account",
        "customer",
        "state_label",
        "step",
        "here_since",
        "problem",
        "age",
    )
    list_filter: ClassVar[Any] = (WorkFilter, "state", "step", "problem_kind", AgeFilter)
    list_select_related = ("account",)
    search_fields = ("id__exact", "confirmation_number__exact", "user_id__exact", *_OF_ACCOUNT)
    search_help_text = "Our id, the confirmation number, the account's number, the customer's id"
    inlines = (Steps,)
    offers: ClassVar[Mapping[str, Question]] = {
        "go_on": RESUME,
        "confirm": CONFIRMATION,
        "hand_back": HAND_BACK,
    }
    actions_detail = tuple(offers)
    csv_columns = (
        "id",
        "confirmation_number",
        "account__account_number",
        "user_id",
        "state",
        "step",
        "problem_kind",
        "problem",
        "created_at",
        "moved_at",
        "finished_at",
    )

    def get_fieldsets(self, *_: Any) -> list[tuple[str | None, dict[str, Any]]]:
        asked = ("resume_asked_by", "resume_asked_at")
        return [
            (None, {"fields": (("state_label", "step"), ("problem_kind", "problem"), "subjects")}),
            ("About", {"fields": ("account", "user_id", "relationship", "confirmation_number")}),
            ("Confirmed by the owner", {"fields": ("confirmed",)}),
            ("Asked for by staff", {"fields": (asked, "resume_reason")}),
            ("To be stopped", {"fields": (("stop_asked_by", "stop_asked_at"),)}),
            ("Sales", {"fields": ("sold", "settles_on")}),
            ("Life", {"fields": ("id", ("created_at", "moved_at"), ("next_at", "finished_at"))}),
        ]

    def get_readonly_fields(self, *_: Any) -> tuple[str, ...]:
        named = (each for _, options in self.get_fieldsets() for each in options["fields"])
        return tuple(
            name for each in named for name in (each if isinstance(each, tuple) else (each,))
        )

    def has_operate_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(OPERATE)

    def has_confirm_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(CONFIRM)

    def facts_of(self, row: Closure) -> Mapping[str, Any]:
        """List what to know before one decides."""
        return {
            "Closure": row.confirmation_number,
            "Account": row.account,
            "Step": row.step,
            "In its way": row.problem or columns.NOTHING,
            "Asked for because": row.resume_reason or columns.NOTHING,
        }

    # Deeds

    @action(description=RESUME.title, icon="play_arrow", permissions=["operate"], url_path="go-on")
    def go_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, RESUME)

    @action(
        description=CONFIRMATION.title,
        icon="done_all",
        permissions=["confirm"],
        url_path="confirm",
        variant=ActionVariant.PRIMARY,
    )
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, CONFIRMATION)

    @action(
        description=HAND_BACK.title,
        icon="undo",
        permissions=["operate"],
        url_path="hand-back",
        variant=ActionVariant.DANGER,
    )
    def hand_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, HAND_BACK)

    # Columns

    @admin.display(description="in this step for", ordering="-moved_at")
    def here_since(self, closure: Closure) -> SafeString | str:
        return columns.age(closure.moved_at, at=timezone.now())

    @admin.display(description="what it is about")
    def subjects(self, closure: Closure) -> SafeString | str:
        return columns.lines(closure.about)

    @admin.display(description="confirmed")
    def confirmed(self, closure: Closure) -> SafeString | str:
        told = closure.confirmations
        return columns.lines([f"{each['what']} by {each['by']} at {each['at']}" for each in told])

    @admin.display(description="sales that came to nothing")
    def sold(self, closure: Closure) -> SafeString | str:
        return columns.lines(
            [
                f"{symbol}: tried {kept.get('number', 0)} times. {kept.get('problem', '')}"
                for symbol, kept in sorted(closure.sales.items())
            ]
        )


@admin.register(ClosingRequest)
class ClosingRequestAdmin(IntentAdmin):
    """Requests to the broker to close an account."""

    list_display = ("short_id", "account", "customer", "state_label", "vendor_label", "age")
    list_select_related = ("account",)
    search_fields = ("id__exact", "user_id__exact", *_OF_ACCOUNT)
    search_help_text = "Our id, the account's number or id, the customer's id"
    about = ("id", "user_id", "account", "closure", "number")
