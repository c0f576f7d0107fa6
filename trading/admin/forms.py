"""What is asked before something is done about orders."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from core.backoffice.deeds import ReasonForm, text_field
from trading.states import Side, SwitchScope

_AS_BEFORE = "Empty: as for everybody."


def _dollars(label: str, help_text: str = f"Dollars. {_AS_BEFORE}") -> forms.DecimalField:
    return forms.DecimalField(
        max_digits=14,
        decimal_places=2,
        required=False,
        label=label,
        help_text=help_text,
        widget=UnfoldAdminDecimalFieldWidget(),
    )


def _share(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        max_digits=6,
        decimal_places=4,
        required=False,
        label=label,
        help_text=f"{help_text} {_AS_BEFORE}",
        widget=UnfoldAdminDecimalFieldWidget(),
    )


def _count(label: str) -> forms.IntegerField:
    return forms.IntegerField(
        required=False, label=label, help_text=_AS_BEFORE, widget=UnfoldAdminIntegerFieldWidget()
    )


class LimitForm(forms.Form):
    """What an account may trade, and why it is so much."""

    max_notional = _dollars("Largest order")
    max_quantity = forms.DecimalField(
        max_digits=20,
        decimal_places=9,
        required=False,
        label="Most shares in an order",
        help_text=_AS_BEFORE,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    daily_notional = _dollars("Most in a trading day, purchases and sales")
    daily_orders = _count("Orders in a trading day")
    open_orders = _count("Orders open at once")
    collar = _share("Price collar", "0.1 lets a price reach 10 % through the market.")
    concentration = _share("Most in one symbol", "0.25 is a quarter of what the account is worth.")
    step_up_notional = _dollars("Approving more takes a second factor")
    note = text_field()


class AccountLimitForm(LimitForm):
    """The same, for an account that has to be named; nobody named means everybody."""

    account_id = forms.CharField(
        max_length=64,
        required=False,
        label="Account",
        help_text="Our id of the account, or the broker's. Empty: everybody.",
        widget=UnfoldAdminTextInputWidget({"autofocus": "", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["account_id", *(name for name in self.fields if name != "account_id")])


class RestrictForm(ReasonForm):
    """Which symbol nobody may trade, and on which side."""

    symbol = forms.CharField(
        max_length=32,
        label="Symbol",
        widget=UnfoldAdminTextInputWidget({"autofocus": "", "autocomplete": "off"}),
    )
    side = forms.ChoiceField(
        choices=[("", "Both sides"), *Side.choices],
        required=False,
        label="Side",
        widget=UnfoldAdminSelectWidget(),
    )
    field_order = ("symbol", "side", "reason")


class StopForm(ReasonForm):
    """Whose orders are stopped, and what happens to those that the broker has."""

    scope = forms.ChoiceField(
        choices=[
            (SwitchScope.GLOBAL, "Everybody's orders"),
            (SwitchScope.ACCOUNT, "One account's orders"),
            (SwitchScope.PRINCIPAL, "One customer's or one key's orders"),
        ],
        label="What is stopped",
        widget=UnfoldAdminSelectWidget(),
    )
    target = forms.CharField(
        max_length=600,
        required=False,
        label="Whose",
        help_text="The account's id, the customer's id, or the name of a credential. Empty:"
        " everybody.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    cancels_open = forms.BooleanField(
        required=False,
        label="Cancel what is open at the broker, too",
        widget=UnfoldBooleanSwitchWidget(),
    )
    field_order = ("scope", "target", "cancels_open", "reason")
