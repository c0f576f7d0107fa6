"""What is asked before something is done with money."""

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from core.backoffice.deeds import ReasonForm, text_field


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

    note = text_field("How it was settled", is_first=True)


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
    note = text_field()


class NewLimitForm(LimitForm):
    """The same, for an account that has to be named."""

    account_id = forms.CharField(
        max_length=64,
        label="Account",
        help_text="Our id of the account, or the broker's.",
        widget=UnfoldAdminTextInputWidget({"autofocus": "", "autocomplete": "off"}),
    )
    field_order = ("account_id", "largest", "daily_amount", "daily_count", "note")
