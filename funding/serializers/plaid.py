"""The JSON of signing in to a bank through Plaid."""

from typing import Any

from rest_framework import serializers

from core.api.fields import StrictCharField
from funding.serializers.named import AccountNamed


class NewLink(AccountNamed):
    """The reference's body for a Plaid page; the original's frontend also sends the e-mail."""

    redirectUri = StrictCharField(max_length=500)  # noqa: N815
    email = serializers.EmailField(required=False, allow_blank=True, default="", max_length=254)


class LinkAnswer(serializers.Serializer[Any]):
    """Both the reference's key and the ones the original's frontend reads."""

    link_url = serializers.CharField(source="url", read_only=True)
    linkUrl = serializers.CharField(source="url", read_only=True)  # noqa: N815
    linkToken = serializers.CharField(source="token", read_only=True)  # noqa: N815
