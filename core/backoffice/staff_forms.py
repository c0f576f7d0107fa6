"""What is asked about a member of the staff."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from core.auth import staff_members
from core.auth.principals import Principal
from core.auth.roles import Role
from core.auth.staff_members import NONE, SUPERUSER, Standing
from core.errors import RuleBroken

_ROLES = (
    ("", "none: may not enter"),
    (Role.VIEWER, "viewer: sees everything operational"),
    (Role.OPERATOR, "operator: and acts for customers, and sees personal data, on record"),
    (Role.APPROVER, "approver: and approves, and manages API keys"),
    (SUPERUSER, "superuser: everything, the staff included"),
)


def _role_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=_ROLES, required=False, label="Role", widget=UnfoldAdminSelectWidget()
    )


class NewMemberForm(UserCreationForm):  # type: ignore[misc]  # the theme has no types
    """A name, a role and a first password."""

    by: Principal
    role = _role_field()

    @property
    def standing(self) -> Standing:
        """Return what was chosen."""
        return Standing.named(self.cleaned_data["role"])


class MemberForm(UserChangeForm):  # type: ignore[misc]
    """Who a member is and what they may do."""

    by: Principal
    role = _role_field()
    may_sign_in = forms.BooleanField(
        required=False, label="May sign in", widget=UnfoldBooleanSwitchWidget()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = Standing.of(self.instance)
        self.initial |= {
            "role": "" if present.name == NONE else present.name,
            "may_sign_in": present.is_active,
        }

    @property
    def standing(self) -> Standing:
        """Return what was chosen."""
        given = self.cleaned_data
        return Standing.named(given["role"], is_active=given["may_sign_in"])

    def clean(self) -> dict[str, Any]:
        """Refuse what would leave the superuser who asks without their rights."""
        cleaned: dict[str, Any] = super().clean()
        if {"role", "may_sign_in"} <= cleaned.keys():
            try:
                staff_members.refuse_self_harm(self.instance, self.standing, by=self.by)
            except RuleBroken as error:
                raise ValidationError(error.detail) from error
        return cleaned
