"""The kill switch: stopping orders at once, and letting them pass again."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action

from core.auth import Principal
from core.backoffice import columns
from core.backoffice.deeds import Deed, Question
from trading.admin.board import Board, StandingFilter
from trading.admin.forms import StopForm
from trading.models import KillSwitch
from trading.services import switches
from trading.states import SwitchScope


def _stop(staff: Principal, given: Mapping[str, Any]) -> str:
    switches.order_stop(
        staff=staff,
        scope=SwitchScope(given["scope"]),
        target=given["target"].strip(),
        reason=given["reason"],
        cancels_open=given["cancels_open"],
        at=timezone.now(),
    )
    return "Orders are stopped from this moment on."


def _lift(staff: Principal, switch: KillSwitch, given: Mapping[str, Any]) -> None:
    switches.lift(staff=staff, switch_id=switch.pk, reason=given["reason"], at=timezone.now())


def _cancel_open(staff: Principal, switch: KillSwitch, given: Mapping[str, Any]) -> None:
    switches.cancel_open(staff=staff, switch_id=switch.pk, reason=given["reason"])


_STOP: Final = Question(
    title="Stop orders",
    question="No order leaves for the broker any more from the moment this is confirmed. What was"
    " taken and not sent is held back. It takes an approver to let orders pass again.",
    button="Stop orders",
    form=StopForm,
    is_grave=True,
)
_LIFT: Final = Deed(
    title="Let orders pass again",
    question="What was held back is judged anew, at the prices of now; what differs too much is"
    " suggested to its customer instead of sent.",
    button="Let them pass",
    done="Orders pass again.",
    do=_lift,
    fits=lambda switch: switch.lifted_at is None,
)


_CANCEL_OPEN: Final = Deed(
    title="Cancel what is open, too",
    question="Every order that the broker still has and that this switch stops is canceled. A fill"
    " may come first.",
    button="Cancel them",
    done="The open orders are being canceled.",
    do=_cancel_open,
    fits=lambda switch: switch.lifted_at is None and not switch.cancels_open,
    is_grave=True,
)


@admin.register(KillSwitch)
class KillSwitchAdmin(Board):
    principal_column = "ordered_by"
    ordering = ("-ordered_at",)
    list_display = (
        "short_id",
        "scope",
        "whose",
        "stands",
        "cancels_open",
        "reason",
        "principal_name",
        "since",
        "lifted_at",
    )
    list_filter: ClassVar[Any] = (StandingFilter, "scope")
    search_fields = ("target__exact",)
    search_help_text = "The account's id, the customer's id, or the name of a credential"
    fields = (
        "id",
        "scope",
        "whose",
        "stands",
        "cancels_open",
        "reason",
        "principal_name",
        "ordered_at",
        "lift_reason",
        "lifted_by",
        "lifted_at",
    )
    readonly_fields = fields
    actions_list = ("stop_orders",)
    actions_detail = ("lift_switch", "cancel_open")
    offers = {"lift_switch": _LIFT, "cancel_open": _CANCEL_OPEN}

    def has_stop_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("trading.order_killswitch")

    def has_lift_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("trading.lift_killswitch")

    @action(description=_STOP.title, icon="emergency", permissions=["stop"], url_path="stop")
    def stop_orders(self, request: HttpRequest) -> HttpResponse:
        return self.add(request, _STOP, _stop)

    @action(description=_LIFT.title, icon="play_arrow", permissions=["lift"], url_path="lift")
    def lift_switch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _LIFT)

    @action(
        description=_CANCEL_OPEN.title, icon="cancel", permissions=["stop"], url_path="cancel-open"
    )
    def cancel_open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _CANCEL_OPEN)

    @admin.display(description="whose", ordering="target")
    def whose(self, switch: KillSwitch) -> SafeString | str:
        return columns.short(switch.target) if switch.target else "everybody's"

    @admin.display(description="age", ordering="-ordered_at")
    def since(self, switch: KillSwitch) -> SafeString | str:
        return columns.age(switch.ordered_at, at=timezone.now())
