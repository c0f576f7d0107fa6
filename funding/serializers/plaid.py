"""The JSON of signing in to a bank through Plaid."""

from datetime import datetime
from typing import Any, Final

from rest_framework import serializers

from core.api.fields import StrictCharField
from funding.models import LinkSession, token_index
from funding.serializers.named import AccountNamed

_ONE_OF: Final = "Send either publicToken or sessionId."


class NewLink(AccountNamed):
    """The reference's body for a Plaid page; the original's frontend also sends the e-mail."""

    redirectUri = StrictCharField(max_length=500, trim_whitespace=False)  # noqa: N815
    email = serializers.EmailField(required=False, allow_blank=True, default="", max_length=254)
    relationshipId = StrictCharField(  # noqa: N815
        max_length=64,
        required=False,
        allow_blank=True,
        default="",
        help_text="A bank that wants its customer to sign in again; without it one is linked.",
    )


class LinkAnswer(serializers.Serializer[Any]):
    """Both the reference's key and the ones the original's frontend reads."""

    link_url = serializers.CharField(source="url", read_only=True)
    linkUrl = serializers.CharField(source="url", read_only=True)  # noqa: N815
    linkToken = serializers.CharField(source="token", read_only=True)  # noqa: N815
    expires_at = serializers.DateTimeField(read_only=True)
    session_id = serializers.UUIDField(read_only=True)


class NewToken(AccountNamed):
    """What came of a page: its public token, or only which page it was."""

    publicToken = StrictCharField(max_length=500, required=False)  # noqa: N815
    public_token = StrictCharField(max_length=500, required=False, help_text="As publicToken.")
    sessionId = serializers.UUIDField(required=False)  # noqa: N815
    plaidAccountId = StrictCharField(  # noqa: N815
        max_length=64,
        required=False,
        allow_blank=True,
        default="",
        help_text="Which account behind the sign-in; without it the first checking account.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Take both spellings of the token, but not two of them, and not a page as well."""
        spellings = [attrs.pop(name) for name in ("publicToken", "public_token") if name in attrs]
        if len(spellings) + ("sessionId" in attrs) != 1:
            raise serializers.ValidationError({"publicToken": [_ONE_OF]})
        return {**attrs, "token": spellings[0] if spellings else ""}

    def meaning(self) -> dict[str, Any]:
        """
        Say what makes two bodies the same, with a fingerprint in place of the token.

        A token is good for one bank, so that bringing it again is a retry and no second wish.
        """
        data = self.validated_data
        return {
            "token": token_index(data["token"]) if data["token"] else "",
            "session": str(data.get("sessionId", "")),
            "plaid_account_id": data["plaidAccountId"],
            "allow_duplicate": True,
        }


class TokenAnswer(serializers.Serializer[LinkSession]):
    """The bank, as linking one by its numbers answers it; its id is known from the beginning."""

    id = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    created_at = serializers.SerializerMethodField()
    session_id = serializers.UUIDField(source="pk", read_only=True)

    def get_id(self, session: LinkSession) -> str:
        """Return the broker's id once known, else ours."""
        return str(session.relationship.public_id if session.relationship else session.pk)

    def get_status(self, session: LinkSession) -> str:
        """Return the bank's status; nothing is certain before there is one."""
        return str(session.relationship.public_status if session.relationship else "PENDING")

    def get_created_at(self, session: LinkSession) -> datetime:
        """Return when the bank, or else the sign-in, was written down."""
        return session.relationship.created_at if session.relationship else session.created_at


class WebhookAnswer(serializers.Serializer[Any]):
    received = serializers.BooleanField(read_only=True)
