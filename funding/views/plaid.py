"""Signing in to a bank through Plaid."""

from typing import Final

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.idempotency import IdempotentView
from core.api.parser import BodyTooLarge
from core.api.schema import idempotency_key
from core.errors import CleraError
from funding import examples
from funding.serializers import plaid as serializers
from funding.services import linking, links, webhooks
from funding.views.common import SCOPES, created, principal_for

SIGNATURE: Final = "Plaid-Verification"
# A webhook of Plaid's has a few hundred bytes.
LONGEST_WEBHOOK: Final = 64 * 1024


class RelationshipLinks(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.NewLink,
        responses=serializers.LinkAnswer,
        examples=examples.CREATE_LINK,
    )
    def post(self, request: Request) -> Response:
        """Make a page on which the customer signs in to a bank, or renews a sign-in."""
        form = serializers.NewLink(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        link = links.create_link(
            principal=principal_for(request, data["accountId"]),
            account_id=data["accountId"],
            redirect_uri=data["redirectUri"],
            email=data["email"],
            relationship_id=data["relationshipId"] or None,
        )
        return Response(serializers.LinkAnswer(link).data)


class ProcessedTokens(IdempotentView):
    operation = "funding.process_token"
    key_required = False
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.NewToken,
        responses={201: serializers.TokenAnswer, 202: serializers.TokenAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.PROCESS_TOKEN,
    )
    def post(self, request: Request) -> Response:
        """Link the bank that the customer has signed in to; 202 while it is not certain."""
        form = serializers.NewToken(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        principal = principal_for(request, data["accountId"])
        if "sessionId" in data:
            session = linking.finish(
                principal=principal,
                account_id=data["accountId"],
                session_id=data["sessionId"],
                at=timezone.now(),
            )
        else:
            session = linking.process_token(
                principal=principal,
                account_id=data["accountId"],
                public_token=data["token"],
                plaid_account_id=data["plaidAccountId"],
                request=self.idempotency(request, content=form.meaning(), principal=principal),
                at=timezone.now(),
            )
        bank = session.relationship
        status = created(is_accepted=bank is not None and bank.is_accepted)
        return Response(serializers.TokenAnswer(session).data, status=status)


class NotPlain(CleraError):
    code = "unsupported_media_type"
    status = 415
    detail = "Send the body as it is: neither compressed nor encoded."


class NoLength(CleraError):
    code = "length_required"
    status = 411
    detail = "Send a Content-Length, and the body in one piece."


class Webhooks(APIView):
    """Open to everybody who can sign as Plaid does."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = ()  # the signature is over the bytes
    rate = "webhooks"

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses=serializers.WebhookAnswer,
        parameters=[
            OpenApiParameter(
                SIGNATURE,
                location=OpenApiParameter.HEADER,
                required=True,
                description="What Plaid has signed over the exact bytes of the body.",
            )
        ],
        examples=examples.WEBHOOK,
    )
    def post(self, request: Request) -> Response:
        """Take a hint from Plaid; what it is about is then read from Plaid."""
        webhooks.receive(
            body=_bytes_of(request),
            signatures=[request.headers[SIGNATURE]] if SIGNATURE in request.headers else [],
            at=timezone.now(),
        )
        return Response(serializers.WebhookAnswer({"received": True}).data)


def _bytes_of(request: Request) -> bytes:
    """
    Return the body as it was sent.

    :raises NotPlain: it is compressed.
    :raises NoLength: it comes in pieces.
    :raises BodyTooLarge: no webhook is that large.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise NotPlain
    if "Transfer-Encoding" in request.headers:
        raise NoLength
    length = request.headers.get("Content-Length") or "0"
    if not (length.isascii() and length.isdigit()) or int(length[:20]) > LONGEST_WEBHOOK:
        raise BodyTooLarge
    return bytes(request.body)
