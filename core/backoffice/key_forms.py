"""What is asked of whoever makes or rotates an API key."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from core.auth import api_keys
from core.auth.principals import ACT_FOR
from core.ids import new_id

_LONGEST: Final = 100
_LONGEST_OVERLAP: Final = timedelta(days=30)
_NEVER: Final = 0
_LIVES: Final = (
    (30, "30 days"),
    (90, "90 days"),
    (api_keys.LIFE.days, "a year"),
    (_NEVER, "until it is revoked"),
)
_HOUR: Final = timedelta(hours=1)


def _scopes() -> list[tuple[str, str]]:
    described = {ACT_FOR: f"{ACT_FOR} (names any customer, and reaches what is theirs)"}
    return [(scope, described.get(scope, scope)) for scope in sorted(api_keys.KEY_SCOPES)]


class NewKeyForm(forms.Form):
    """The form's own `key_id` becomes the key's, so that sending it again makes no second key."""

    key_id = forms.UUIDField(initial=new_id, widget=forms.HiddenInput())
    label = forms.CharField(
        max_length=_LONGEST,
        help_text="Who uses it and for what: checkout frontend, nightly report.",
        widget=UnfoldAdminTextInputWidget({"autofocus": "", "autocomplete": "off"}),
    )
    owner = forms.CharField(
        max_length=_LONGEST,
        help_text="The person or team that answers for it.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        choices=_scopes,
        label="What it may do",
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    life = forms.TypedChoiceField(
        choices=_LIVES,
        coerce=int,
        initial=api_keys.LIFE.days,
        label="How long it lives",
        widget=UnfoldAdminSelectWidget(),
    )

    def wishes(self, *, at: datetime) -> dict[str, Any]:
        """Return what `api_keys.create` is asked for."""
        given = self.cleaned_data
        days = given["life"]
        return {
            "key_id": given["key_id"],
            "label": given["label"],
            "owner": given["owner"],
            "scopes": given["scopes"],
            "expires_at": None if days == _NEVER else at + timedelta(days=days),
        }


class RotationForm(forms.Form):
    """How long the old key works beside the new one."""

    hours = forms.IntegerField(
        min_value=0,
        max_value=_LONGEST_OVERLAP // _HOUR,
        initial=api_keys.OVERLAP // _HOUR,
        label="Hours for which both keys work",
        help_text="As long as it takes to bring the new key everywhere; 0 ends the old one now.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    @property
    def overlap(self) -> timedelta:
        """Return the span that was asked for."""
        return _HOUR * int(self.cleaned_data["hours"])
