"""What is asked before something is done with an account."""

from typing import Final

from django import forms
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from accounts.serializers import words

_LONGEST: Final = 300
_TEXT: Final = {"rows": 3, "maxlength": _LONGEST}


class NothingForm(forms.Form):
    """Asks only whether it is meant."""


class ReasonForm(forms.Form):
    """Why it is done; it stays on record."""

    reason = forms.CharField(
        max_length=_LONGEST,
        label="Why",
        help_text="It stays on record for good. Name a ticket; write nothing personal.",
        widget=UnfoldAdminTextareaWidget({**_TEXT, "autofocus": ""}),
    )


class DocumentForm(forms.Form):
    """Which document is wanted, and what the customer is told."""

    document_type = forms.ChoiceField(
        choices=[(name, name.replace("_", " ")) for name in words.DOCUMENT_TYPES],
        label="Document",
        widget=UnfoldAdminSelectWidget(),
    )
    note = forms.CharField(
        max_length=_LONGEST,
        label="What the customer reads",
        help_text="Say what must be seen on it, and why it is needed.",
        widget=UnfoldAdminTextareaWidget(_TEXT),
    )


class AddressForm(forms.Form):
    """Whom somebody looks for; it is sent in a body, because addresses of pages are logged."""

    email = forms.EmailField(
        label="The customer's e-mail address",
        help_text="All of it. It is compared with a fingerprint and kept nowhere.",
        widget=UnfoldAdminEmailInputWidget({"autofocus": "", "autocomplete": "off"}),
    )
