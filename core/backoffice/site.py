"""The admin as a whole: its way in, its first page, and what is recorded of passwords."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.sites import UnfoldAdminSite

from core import rate_limits
from core.api import problems
from core.api.addresses import client_address, network_of
from core.auth import staff_members
from core.auth.principals import Principal
from core.backoffice import second_factor
from core.errors import CleraError
from core.rate_limits import Throttled


class LockedOut(CleraError):
    code = "locked_out"
    status = 429
    detail = (
        "Too many wrong passwords for this name from your address. Try again in 15 minutes, or"
        " have a superuser unlock you."
    )


class Operations(UnfoldAdminSite):  # type: ignore[misc]  # the theme has no types
    """The desk of the operators."""

    index_template = "backoffice/dashboard.html"
    index_title = "Overview"

    def extra_urls(self) -> list[URLPattern]:
        """Add the pages of the second factor, which a password alone opens."""
        return [
            path("second-factor/", self.admin_view(second_factor.ask), name="second_factor"),
            path(
                "second-factor/set-up/",
                self.admin_view(second_factor.enrol),
                name="second_factor_enrol",
            ),
        ]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Let a network try passwords only so often, whomever they are for."""
        if request.method == "POST":
            try:
                rate_limits.spend("sign_in", whose=network_of(client_address(request.META)))
            except Throttled as error:
                return refusal(request, error)
        response: HttpResponse = super().login(request, extra_context)
        return response

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Change one's own password, on record; every other session of the member ends."""
        user: Any = request.user
        before = user.password
        response: HttpResponse = super().password_change(request, extra_context)
        if user.password != before:
            staff_members.note("staff.password_set", user, by=Principal.staff(user.pk))
        return response


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer a sign-in that django-axes refuses; `AXES_LOCKOUT_CALLABLE`."""
    seconds = round(settings.AXES_COOLOFF_TIME.total_seconds())
    return refusal(request, LockedOut(retry_after_seconds=seconds))


def refusal(request: HttpRequest, error: CleraError) -> HttpResponse:
    """Refuse on a page, or as a problem to whoever asks for no page."""
    if "text/html" not in request.headers.get("Accept", ""):
        return problems.answer(error)
    context = {**admin.site.each_context(request), "title": "Not now", "detail": error.detail}
    response = TemplateResponse(
        request, "backoffice/refusal.html", context, status=error.status
    ).render()
    response.headers["Retry-After"] = str(error.retry_after_seconds)
    response.headers["Cache-Control"] = "no-store"
    return response
