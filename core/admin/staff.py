"""The staff itself: members, the one role each has, and help for who cannot get in."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm

from core.auth import lockout, roles, second_factor, staff_members
from core.auth.principals import Principal
from core.auth.staff_members import Standing
from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import RoleFilter
from core.backoffice.staff_forms import MemberForm, NewMemberForm
from core.errors import CleraError

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class StaffAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """
    Members of staff; each changes their own password by the menu at the bottom left.

    Who sets somebody's password, or hands out a role, has all rights already. Nobody is deleted:
    the audit trail names members by their id.
    """

    form = MemberForm
    add_form = NewMemberForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "role_label", "is_active", "factor", "seen")
    list_filter = (RoleFilter, "is_active")
    filter_horizontal = ()
    search_help_text = "The name, or the e-mail address"
    search_fields = ("username", "first_name", "last_name", "email")
    list_filter_sheet = False
    list_fullwidth = True
    fieldsets = (
        (None, {"fields": ("username", "password_form", "first_name", "last_name", "email")}),
        ("What they may do", {"fields": ("role", "may_sign_in")}),
        ("How they sign in", {"fields": ("factor_since", "lock", "last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "role", "password1", "password2")}),)
    readonly_fields = ("password_form", "factor_since", "lock", "last_login", "date_joined")
    actions_detail = ("reset_factor", "unlock")

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, *_: Any) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002
        return False

    def has_help_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Let superusers help others: a stolen session must not replace its own second factor."""
        return bool(request.user.is_superuser) and str(request.user.pk) != str(object_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return staff_members.with_standing(super().get_queryset(request))

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, *args, **kwargs)
        form.by = _who(request)
        return form

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            staff_members.note("staff.created", obj, by=_who(request))
        if "role" in form.cleaned_data:
            staff_members.set_standing(obj, form.standing, by=_who(request))

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - Django's name
        form_url: str = "",
    ) -> HttpResponse:
        """Set somebody's password, on record; their sessions end."""
        member = self.get_object(request, unquote(id))
        before = member.password if member else ""
        response: HttpResponse = super().user_change_password(request, id, form_url)
        if member is not None:
            member.refresh_from_db(fields=["password"])
            if member.password != before:
                staff_members.note("staff.password_set", member, by=_who(request))
        return response

    @action(
        description="Reset the second factor",
        icon="phonelink_erase",
        permissions=["help"],
        url_path="reset-factor",
        variant=ActionVariant.DANGER,
    )
    def reset_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether it is meant, and forget the member's app."""
        member = self._member(request, object_id)
        return self._confirmed(
            request,
            member,
            do=lambda: second_factor.reset(member, by=_who(request)),
            done="Forgotten. They set up a new one at their next sign-in.",
            deed="Reset",
            title=f"Reset the second factor of {member}?",
            question="Do this for a lost phone, once you have made sure that it is them who ask."
            " Until they set up a new one, their password alone leads to setting it up.",
        )

    @action(
        description="Unlock",
        icon="lock_open",
        permissions=["help"],
        url_path="unlock",
    )
    def unlock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether it is meant, and forget the member's wrong passwords."""
        member = self._member(request, object_id)
        return self._confirmed(
            request,
            member,
            do=lambda: lockout.unlock(member, by=_who(request)),
            done="They may try again at once.",
            deed="Unlock",
            title=f"Unlock {member}?",
            question="Wrong passwords for this name are forgotten, wherever they came from.",
        )

    @admin.display(description="role", ordering="-is_superuser")
    def role_label(self, member: User) -> SafeString:
        name = Standing.of(member).name
        return columns.label(name, colour="danger" if member.is_superuser else "info")

    @admin.display(description="second factor", boolean=True, ordering="has_second_factor")
    def factor(self, member: Any) -> bool:
        return bool(member.has_second_factor)

    @admin.display(description="last sign-in", ordering="last_login")
    def seen(self, member: User) -> SafeString | str:
        return columns.age(member.last_login, at=timezone.now())

    @admin.display(description="second factor", empty_value="Not set up yet.")
    def factor_since(self, member: User) -> str | None:
        device = second_factor.device_of(member)
        return f"Set up on {device.created_at:%Y-%m-%d %H:%M} UTC." if device else None

    @admin.display(description="sign-in")
    def lock(self, member: User) -> SafeString:
        name = member.get_username()
        is_locked = name in lockout.locked_among([name], at=timezone.now())
        if is_locked:
            return columns.label("locked out", colour="danger")
        return columns.label("open", colour="success")

    @admin.display(description="password")
    def password_form(self, member: User) -> SafeString:
        """Lead to the form that sets another; nothing of the present one is shown."""
        url = reverse("admin:auth_user_password_change", args=[member.pk])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">Set another password</a>',
            url,
        )

    def _member(self, request: HttpRequest, object_id: str) -> User:
        member: User | None = self.get_object(request, unquote(object_id))
        if member is None:
            raise Http404
        return member

    def _confirmed(
        self,
        request: HttpRequest,
        member: User,
        *,
        do: Callable[[], object],
        done: str,
        **shown: Any,
    ) -> HttpResponse:
        """Ask on a page, and do it when the answer is yes."""
        back = reverse("admin:auth_user_change", args=[member.pk])
        if request.method != "POST":
            shown |= {"facts": {"Member": member}, "back": back}
            context = {**self.admin_site.each_context(request), **shown}
            return TemplateResponse(request, "backoffice/confirm.html", context)
        try:
            do()
        except CleraError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, done)
        return HttpResponseRedirect(back)


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    """What each role may do; `core.auth.roles` says it, and every release puts it here."""

    ordering = ("pk",)
    list_display = ("name", "members")
    fields = ("name", "may")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        ours = super().get_queryset(request).filter(name__in=roles.NAMES)
        return ours.prefetch_related("user_set")  # type: ignore[no-any-return]

    @admin.display(description="members")
    def members(self, group: Group) -> str:
        active = sorted(user.get_username() for user in group.user_set.all() if user.is_active)
        return ", ".join(active) or columns.NOTHING

    @admin.display(description="may")
    def may(self, group: Group) -> SafeString:
        granted = group.permissions.select_related("content_type").order_by(
            "content_type__app_label", "codename"
        )
        names = ((f"{one.content_type.app_label}: {one.name}",) for one in granted)
        return format_html_join("", "<div>{}</div>", names)


def _who(request: HttpRequest) -> Principal:
    return Principal.staff(request.user.pk)
