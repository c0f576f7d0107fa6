"""The pages between the password and the admin: set up an app once, then show its code."""

import base64
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

import django_otp
import segno
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from unfold.widgets import UnfoldAdminTextInputWidget

from core import crypto
from core.auth import second_factor
from core.auth.second_factor import AlreadyEnrolled, CodeRefused, CodesThrottled
from core.auth.staff_device import DIGITS, StaffDevice

_SETTING_UP: Final = "second_factor_secret"
_GROUP: Final = 4


class CodeForm(forms.Form):
    """Six digits, typed as the app shows them."""

    code = forms.RegexField(
        rf"^[0-9]{{{DIGITS}}}\Z",
        label="Code",
        error_messages={"invalid": f"The code has {DIGITS} digits."},
        widget=UnfoldAdminTextInputWidget(
            {
                "autocomplete": "one-time-code",
                "autofocus": "",
                "inputmode": "numeric",
                "maxlength": DIGITS + 1,
            }
        ),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data and {"code": str(data.get("code", "")).replace(" ", "")})


def ask(request: HttpRequest) -> HttpResponse:
    """Ask for the code of the member's app, and let them in."""
    user = _member(request)
    if not second_factor.is_missing(request):
        return HttpResponseRedirect(_wanted(request))
    if second_factor.device_of(user) is None:
        return _to("admin:second_factor_enrol", request)
    form = CodeForm(request.POST or None)
    wait: int | None = None
    if form.is_valid():
        try:
            device = second_factor.verify(user, code=form.cleaned_data["code"], at=timezone.now())
        except (CodeRefused, CodesThrottled) as error:
            form.add_error("code", error.detail)
            wait = error.retry_after_seconds
        else:
            return _let_in(request, device)
    response = _page(request, "second_factor", form, title="Your code")
    if wait is not None:
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        response.headers["Retry-After"] = str(wait)
    return response


def enrol(request: HttpRequest) -> HttpResponse:
    """Show a new secret until a first code proves that the member's app has it."""
    user = _member(request)
    if not second_factor.is_missing(request) or second_factor.device_of(user) is not None:
        return _to("admin:second_factor", request)
    secret = _secret_of(request)
    form = CodeForm(request.POST or None)
    if form.is_valid():
        code = form.cleaned_data["code"]
        try:
            device = second_factor.enrol(user, secret=secret, code=code, at=timezone.now())
        except CodeRefused:
            form.add_error("code", "This is not what the app shows. Is the phone's clock right?")
        except AlreadyEnrolled:
            return _to("admin:second_factor", request)
        else:
            return _let_in(request, device)
    text = base64.b32encode(secret).decode()
    shown = {
        "picture": _picture(_address(user, text)),
        "secret": " ".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP)),
    }
    return _page(request, "second_factor_enrol", form, title="Set up your second factor", **shown)


def _member(request: HttpRequest) -> User:
    """Return who is signed in: the site has let nobody else come here."""
    user: Any = request.user
    return user  # type: ignore[no-any-return]


def _secret_of(request: HttpRequest) -> bytes:
    """
    Keep one secret for this session, sealed.

    Were it kept for the member, whoever knows their password could look at it first and own
    the second factor too.
    """
    bound_to = f"session.{_SETTING_UP}.{_member(request).pk}"
    kept = request.session.get(_SETTING_UP)
    if kept:
        with suppress(crypto.Unsealable):  # its key has been taken out meanwhile
            return crypto.unseal(base64.b64decode(kept), bound_to=bound_to)
    secret = second_factor.new_secret()
    sealed = crypto.seal(secret, bound_to=bound_to)
    request.session[_SETTING_UP] = base64.b64encode(sealed).decode()
    return secret


def _let_in(request: HttpRequest, device: StaffDevice) -> HttpResponse:
    """Mark the session, under a new name: the old one was worth less."""
    request.session.pop(_SETTING_UP, None)
    request.session.cycle_key()
    django_otp.login(request, device)
    return HttpResponseRedirect(_wanted(request))


def _wanted(request: HttpRequest) -> str:
    """Go where the member was going, but never out of here."""
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else reverse("admin:index")


def _to(name: str, request: HttpRequest) -> HttpResponse:
    wanted = {"next": request.GET["next"]} if "next" in request.GET else {}
    query = f"?{urlencode(wanted)}" if wanted else ""
    return HttpResponseRedirect(reverse(name) + query)


def _page(
    request: HttpRequest,
    name: str,
    form: CodeForm,
    *,
    title: str,
    **shown: Any,
) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, "form": form, **shown}
    response = TemplateResponse(request, f"backoffice/{name}.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _address(user: User, secret: str) -> str:
    """Write what the picture says, in the form that authenticator apps read."""
    place = "" if settings.ENVIRONMENT == "production" else f" {settings.ENVIRONMENT}"
    issuer = f"Clera{place}"
    query = urlencode({"secret": secret, "issuer": issuer, "digits": DIGITS}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer)}:{quote(user.get_username())}?{query}"


def _picture(text: str) -> SafeString:
    """Draw it as SVG, in black on white whatever the theme: cameras want the contrast."""
    svg = segno.make(text, error="m", micro=False).svg_inline(scale=4, border=3, light="#fff")
    return mark_safe(svg)  # noqa: S308 - shapes that we have drawn; the text is not in it
