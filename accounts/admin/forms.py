"""What is asked before something is done with an account."""

from django import forms
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from accounts.serializers import words
from core.backoffice.deeds import text_field


class DocumentForm(forms.Form):
    """Which document is wanted, and what the customer is told."""

    document_type = forms.ChoiceField(
        choices=[(name, name.replace("_", " ")) for name in words.DOCUMENT_TYPES],
        label="Document",
        widget=UnfoldAdminSelectWidget(),
    )
    note = text_field(
        "What the customer reads", "Say what must be seen on it, and why it is needed."
    )


class AddressForm(forms.Form):
    """Whom somebody looks for; it is sent in a body, because addresses of pages are logged."""

    email = forms.EmailField(
        label="The customer's e-mail address",
        help_text="All of it. It is compared with a fingerprint and kept nowhere.",
        widget=UnfoldAdminEmailInputWidget({"autofocus": "", "autocomplete": "off"}),
    )
