"""Pages of what may get lost: whose turn it is, and the five things that staff can do about it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant

from core.backoffice import columns
from core.backoffice.admin import ShowsMore
from core.intents.states import IntentState
from funding.admin import deeds, evidence
from funding.admin.shared import CONFIRM, PROPOSE, Desk
from funding.services import verdicts


class Reviews(Desk, ShowsMore):
    """A table whose rows say in `has_verdict` whether somebody has proposed what they are."""

    change_form_before_template = "funding/decision.html"
    offers = deeds.OFFERS
    actions_detail = tuple(offers)

    def has_propose_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(PROPOSE)

    def has_confirm_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(CONFIRM)

    def surroundings(self, request: HttpRequest, row: Any) -> dict[str, Any]:  # noqa: ARG002
        """Say who has to decide."""
        if row.state not in deeds.LOST:
            return {}
        return {"decision": evidence.banner(row.state, verdicts.open_verdict(row))}

    def own_facts(self, subject: Any) -> Mapping[str, Any]:
        """List what we know of it ourselves."""
        return super().facts_of(subject)

    def facts_of(self, row: Any) -> Mapping[str, Any]:
        """List what it is, and what is proposed to become of it."""
        verdict = verdicts.open_verdict(row)
        proposed = {} if verdict is None else evidence.words_of(verdict)
        return {**self.own_facts(row), **proposed}

    # Deeds

    @action(
        description=deeds.LOOK_AGAIN.title,
        icon="search",
        permissions=["propose"],
        url_path="look-again",
    )
    def look_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.LOOK_AGAIN)

    @action(description=deeds.ATTACH.title, icon="link", permissions=["propose"], url_path="attach")
    def attach(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.ATTACH)

    @action(
        description=deeds.DISMISS.title,
        icon="delete_sweep",
        permissions=["propose"],
        url_path="dismiss",
        variant=ActionVariant.DANGER,
    )
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.DISMISS)

    @action(
        description=deeds.CONFIRM.title,
        icon="done_all",
        permissions=["confirm"],
        url_path="confirm",
        variant=ActionVariant.PRIMARY,
    )
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.CONFIRM)

    @action(
        description=deeds.WITHDRAW.title, icon="undo", permissions=["propose"], url_path="withdraw"
    )
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.WITHDRAW)

    @admin.display(description="decision")
    def decision(self, subject: Any) -> SafeString | str:
        """Say whose turn it is with something that is lost."""
        if subject.state != IntentState.NEEDS_REVIEW:
            return columns.NOTHING
        if subject.has_verdict:
            return columns.label("confirm", colour="info")
        return columns.label("find out", colour="danger")
