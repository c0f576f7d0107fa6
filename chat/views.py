"""Asking the agents, and watching them answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors as accounts
from chat import examples, selectors, serializers, services
from chat.frames import Frame
from chat.selectors import RunView
from chat.states import RunState
from core.api.authentication import principal_of
from core.api.idempotency import HEADER, IdempotentView
from core.api.permissions import scopes
from core.api.renderer import ExactJSONRenderer
from core.api.schema import idempotency_key
from core.auth import Principal
from core.errors import CleraError


class NoAnswer(CleraError):
    """The run is over and has no answer; `code` says why."""

    status = 503

    def __init__(self, view: RunView) -> None:
        super().__init__(view.error, retry_after_seconds=5, extra={"run_id": str(view.run.pk)})
        self.code = view.run.error_code  # type: ignore[misc]  # one class, many reasons


class Chat(IdempotentView):
    """The reference's chat: one message in, one answer out."""

    operation = "chat.ask"
    key_required = False
    scopes = scopes("chat")

    @extend_schema(
        request=serializers.ChatRequest,
        parameters=[
            idempotency_key(is_required=False),
            OpenApiParameter(
                "Prefer",
                str,
                OpenApiParameter.HEADER,
                description="`respond-async` asks for 202 at once; watch or read the run then.",
            ),
        ],
        responses={200: serializers.ChatAnswer, 202: serializers.ChatPending},
        examples=examples.ASK,
    )
    def post(self, request: Request) -> Response:
        """Ask, and wait for the answer unless the client prefers to watch or to come back."""
        form = serializers.ChatRequest(data=request.data)
        form.is_valid(raise_exception=True)
        body = form.validated_data
        principal = _customer(request, body)
        has_key = HEADER in request.headers
        run = services.ask(
            principal=principal,
            question=serializers.question_in(body),
            # Saying the same thing twice is no accident in a conversation; the key alone counts.
            request=self.idempotency(
                request, content={**body, "allow_duplicate": True}, principal=principal
            )
            if has_key
            else None,
        )
        view = selectors.wait_for_run(principal=principal, run_id=run.pk, seconds=_wait(request))
        if view.run.state == RunState.FAILED:
            raise NoAnswer(view)
        if view.run.state == RunState.DONE:
            return Response(serializers.ChatAnswer(view).data)
        return Response(serializers.ChatPending(view).data, status=202)


def _customer(request: Request, body: dict[str, Any]) -> Principal:
    principal = principal_of(request, user_id=body["user_id"] or None)
    if body["account_id"]:
        return accounts.principal_for(principal=principal, account_id=body["account_id"])
    return principal


def _wait(request: Request) -> float:
    prefers = request.headers.get("Prefer", "").lower()
    if "respond-async" in prefers:
        return 0.0
    return float(settings.CHAT_WAIT_SECONDS)


class RunDetail(APIView):
    scopes = scopes("chat")

    @extend_schema(responses=serializers.RunDetail)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Say how far a run is, with its answer once there is one."""
        view = selectors.get_run(principal=principal_of(request), run_id=run_id)
        return Response(serializers.RunDetail(view).data)


class _EventStream(ExactJSONRenderer):
    """Lets clients ask for `text/event-stream`; what it renders itself are problems, as JSON."""

    media_type = "text/event-stream"


class RunEvents(APIView):
    """Server-sent events of one run; reconnecting with Last-Event-ID misses nothing."""

    scopes = scopes("chat")
    renderer_classes: ClassVar[list[type[ExactJSONRenderer]]] = [_EventStream, ExactJSONRenderer]  # type: ignore[misc]

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Last-Event-ID",
                str,
                OpenApiParameter.HEADER,
                description="The id of the last frame received; the stream goes on after it.",
            ),
        ],
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR)},
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponseBase:
        """Stream the frames of a run, from the first or from after Last-Event-ID."""
        found = selectors.follow_run(
            principal=principal_of(request),
            run_id=run_id,
            after=request.headers.get("Last-Event-ID"),
        )
        return StreamingHttpResponse(
            _as_events(found),
            content_type="text/event-stream; charset=utf-8",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


async def _as_events(found: AsyncGenerator[Frame | None]) -> AsyncGenerator[str]:
    """Write frames as events and silence as comments, which keep proxies from hanging up."""
    yield "retry: 1000\n\n"
    async with aclosing(found) as frames:
        async for frame in frames:
            yield ": waiting\n\n" if frame is None else _as_event(frame)


def _as_event(frame: Frame) -> str:
    position = f"id: {frame.position}\n" if frame.position else ""
    return f"{position}data: {frame.as_json()}\n\n"


class Conversations(APIView):
    scopes = scopes("chat")

    @extend_schema(
        operation_id="api_conversations_list",
        responses=serializers.ConversationList,
    )
    def get(self, request: Request) -> Response:
        """List the latest conversations, the newest first."""
        found = selectors.list_conversations(principal=principal_of(request))
        return Response(serializers.ConversationList({"conversations": found}).data)


class ConversationDetail(APIView):
    scopes = scopes("chat")

    @extend_schema(responses=serializers.ConversationDetail)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """Show one conversation and everything said in it."""
        thread = selectors.get_thread(
            principal=principal_of(request), conversation_id=conversation_id
        )
        return Response(serializers.ConversationDetail(thread).data)
