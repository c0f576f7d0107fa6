"""What is asked before something is done with money."""

from typing import Final

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

_LONGEST: Final = 300
_TEXT: Final = {"rows": 3, "maxlength": _LONGEST, "autofocus": ""}


class NothingForm(forms.Form):
    """Asks only whether it is meant."""


class ReasonForm(forms.Form):
    """Why it is done; it stays on record."""

    reason = forms.CharField(
        max_length=_LONGEST,
        label="Why",
        help_text="It stays on record for good. Name a ticket; write nothing personal.",
        widget=UnfoldAdminTextareaWidget(_TEXT),
    )


class AttachForm(ReasonForm):
    """Which entry of the broker's list is meant, and how one knows."""

    broker_id = forms.CharField(
        max_length=64,
        label="The broker's id of it",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    field_order = ("broker_id", "reason")


class NoteForm(forms.Form):
    """How a case was settled."""

    note = forms.CharField(
        max_length=_LONGEST,
        label="How it was settled",
        help_text="It stays on record for good. Name a ticket; write nothing personal.",
        widget=UnfoldAdminTextareaWidget(_TEXT),
    )


class LimitForm(forms.Form):
    """What an account may move, and why."""

    largest = forms.DecimalField(
        max_digits=14,
        decimal_places=2,
        required=False,
        label="Largest single transfer",
        help_text="Dollars. Empty: as for everybody.",
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    daily_amount = forms.DecimalField(
        max_digits=14,
        decimal_places=2,
        required=False,
        label="Most in a day, each way",
        help_text="Dollars. Empty: as for everybody.",
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    daily_count = forms.IntegerField(
        required=False,
        label="Transfers in a day, each way",
        help_text="Empty: as for everybody.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    note = forms.CharField(
        max_length=_LONGEST,
        label="Why",
        help_text="It stays on record for good. Name a ticket; write nothing personal.",
        widget=UnfoldAdminTextareaWidget({"rows": 3, "maxlength": _LONGEST}),
    )


class NewLimitForm(LimitForm):
    """The same, for an account that has to be named."""

    account_id = forms.CharField(
        max_length=64,
        label="Account",
        help_text="Our id of the account, or the broker's.",
        widget=UnfoldAdminTextInputWidget({"autofocus": "", "autocomplete": "off"}),
    )
    field_order = ("account_id", "largest", "daily_amount", "daily_count", "note")
