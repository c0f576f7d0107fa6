"""The keys of services: made, succeeded and ended here, their text shown once."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant

from core.auth import api_keys
from core.auth.api_key_model import ApiKey
from core.auth.api_keys import NewKey
from core.auth.principals import Principal
from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import KeyEndFilter, KeyStateFilter, KeyUseFilter
from core.backoffice.key_forms import NewKeyForm, RotationForm
from core.errors import CleraError

_PAGES: Final = "admin:core_apikey"


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """No row is edited: a key's owner and scopes are what they were when it was made."""

    ordering = ("-created_at",)
    list_display = (
        "public_id",
        "label",
        "owner",
        "live",
        "scope_list",
        "used",
        "ends",
        "age",
    )
    list_filter = (KeyStateFilter, KeyUseFilter, KeyEndFilter)
    search_fields = ("public_id__exact", "label", "owner")
    search_help_text = "The key's public id, who uses it, or who answers for it"
    fields = (
        "public_id",
        "label",
        "owner",
        "live",
        "scope_list",
        "relatives",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    readonly_fields = fields
    actions = ("revoke",)
    actions_detail = ("rotate", "revoke_one")

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return self.has_manage_permission(request)

    def has_manage_permission(self, request: HttpRequest, *_: Any) -> bool:
        return bool(request.user.has_perm("core.manage_apikey"))

    def has_end_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Offer what ends or succeeds a key only while it lives."""
        return self.has_manage_permission(request) and _key(object_id).is_live(at=timezone.now())

    def add_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        """Make a key and show its text, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewKeyForm(request.POST or None)
        if form.is_valid():
            try:
                new = api_keys.create(**form.wishes(at=timezone.now()), by=_who(request))
            except CleraError as error:
                form.add_error(None, error.detail)
            else:
                self.log_addition(request, new.key, "Created.")
                return self._shown_once(request, new)
        return self._page(request, "api_key_new", title="New API key", form=form)

    @action(description="Rotate", icon="autorenew", permissions=["end"], url_path="rotate")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a successor and show its text, this once; the old key ends a while later."""
        key = _key(object_id)
        form = RotationForm(request.POST or None)
        if form.is_valid():
            try:
                new = api_keys.rotate(
                    public_id=key.public_id,
                    at=timezone.now(),
                    overlap=form.overlap,
                    by=_who(request),
                )
            except CleraError as error:
                form.add_error(None, error.detail)
            else:
                self.log_change(request, key, "Rotated.")
                return self._shown_once(request, new, old=_key(object_id))
        return self._page(request, "api_key_rotate", title=f"Rotate {key}", form=form, key=key)

    @action(
        description="Revoke",
        icon="block",
        permissions=["end"],
        url_path="revoke",
        variant=ActionVariant.DANGER,
    )
    def revoke_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether it is meant, and end the key in every process."""
        key = _key(object_id)
        if request.method == "POST":
            self._end(request, key, at=timezone.now())
            messages.success(request, f"{key.public_id} is revoked.")
            return HttpResponseRedirect(reverse(f"{_PAGES}_change", args=[key.pk]))
        used = columns.ago(key.last_used_at, at=timezone.now())
        question = (
            "Whoever uses this key gets 401 from the next call on. There is no way back: whoever"
            " still needs one gets a new key."
        )
        return self._page(
            request,
            "confirm",
            title=f"Revoke {key}?",
            question=question,
            facts={"Label": key.label, "Owner": key.owner, "Last used": used},
            deed="Revoke now",
            back=reverse(f"{_PAGES}_change", args=[key.pk]),
        )

    @admin.action(description="Revoke now, in every process", permissions=["manage"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        """End keys; there is no way back."""
        keys = list(chosen.filter(revoked_at=None))
        for key in keys:
            self._end(request, key, at=timezone.now())
        messages.success(request, f"Revoked {len(keys)} keys.")

    @admin.display(description="state")
    def live(self, key: ApiKey) -> SafeString:
        return columns.label(key.state(at=timezone.now()).value)

    @admin.display(description="may")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes) or "nothing"

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, key: ApiKey) -> SafeString | str:
        return columns.age(key.last_used_at, at=timezone.now())

    @admin.display(description="ends", ordering="expires_at")
    def ends(self, key: ApiKey) -> SafeString | str:
        return columns.day(key.expires_at) if key.expires_at else "never"

    @admin.display(description="other keys of its family", empty_value=columns.NOTHING)
    def relatives(self, key: ApiKey) -> SafeString:
        """Link the key that it succeeded, and the one that succeeds it."""
        others = ApiKey.objects.filter(family=key.family).exclude(pk=key.pk).order_by("created_at")
        at = timezone.now()
        return columns.links(
            (reverse(f"{_PAGES}_change", args=[other.pk]), f"{other} {other.state(at=at).lower()}")
            for other in others
        )

    def _end(self, request: HttpRequest, key: ApiKey, *, at: datetime) -> None:
        api_keys.revoke(public_id=key.public_id, at=at, by=_who(request))
        self.log_change(request, key, "Revoked.")

    def _shown_once(
        self, request: HttpRequest, new: NewKey, *, old: ApiKey | None = None
    ) -> HttpResponse:
        """Answer with the text itself: a redirect would have to keep it somewhere."""
        back = reverse(f"{_PAGES}_change", args=[new.key.pk])
        return self._page(
            request, "api_key_shown", title="Your new API key", new=new, old=old, back=back
        )

    def _page(self, request: HttpRequest, name: str, **shown: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), **shown}
        context.setdefault("back", reverse(f"{_PAGES}_changelist"))
        response = TemplateResponse(request, f"backoffice/{name}.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response


def _who(request: HttpRequest) -> Principal:
    return Principal.staff(request.user.pk)


def _key(object_id: str) -> ApiKey:
    try:
        return ApiKey.objects.get(pk=UUID(object_id))
    except (ValueError, ApiKey.DoesNotExist) as error:
        raise Http404 from error
