"""The JSON of conversations and runs."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from chat.models import Conversation, Message
from chat.selectors import RunView, Thread
from chat.services import NewQuestion, Said
from chat.states import Role
from core.api.fields import StrictCharField, StrictSerializer

MAX_QUESTION_LENGTH = 4000
_LONGEST_HISTORY = 50
_LONGEST_PAST_MESSAGE = 16_000
_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT}


class _PastMessage(StrictSerializer):
    ignores_unknown = True

    role = serializers.ChoiceField(choices=sorted(_ROLES))
    content = StrictCharField(
        multiline=True, prose=True, max_length=_LONGEST_PAST_MESSAGE, allow_blank=True
    )


class ChatRequest(StrictSerializer):
    """The reference's body. A new conversation may bring a history; a known one has its own."""

    ignores_unknown = True

    user_input = StrictCharField(multiline=True, prose=True, max_length=MAX_QUESTION_LENGTH)
    messages: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=_PastMessage(), required=False, default=list, max_length=_LONGEST_HISTORY
    )
    session_id = serializers.UUIDField(required=False, allow_null=True, default=None)
    account_id = StrictCharField(required=False, allow_null=True, max_length=64, default=None)
    user_id = StrictCharField(required=False, allow_null=True, max_length=255, default=None)


def question_in(body: Mapping[str, Any]) -> NewQuestion:
    """Read a validated body; clients often repeat the question as the last of the messages."""
    past = [
        Said(role=_ROLES[message["role"]], content=message["content"])
        for message in body["messages"]
        if message["content"]
    ]
    if past and past[-1].role is Role.USER and past[-1].content == body["user_input"]:
        past.pop()
    return NewQuestion(
        text=body["user_input"],
        conversation_id=body["session_id"],
        account_id=body["account_id"] or None,
        history=past,
    )


class ShownProposal(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    text = serializers.CharField()
    hash = serializers.CharField()
    state = serializers.CharField()
    expires_at = serializers.DateTimeField()
    approve_url = serializers.CharField()


class ChatAnswer(serializers.Serializer[RunView]):
    session_id = serializers.UUIDField(source="run.conversation_id")
    response = serializers.CharField()
    run_id = serializers.UUIDField(source="run.pk")
    proposals = ShownProposal(many=True)


class ChatPending(serializers.Serializer[RunView]):
    """What a client gets that does not wait, or that has waited long enough."""

    session_id = serializers.UUIDField(source="run.conversation_id")
    run_id = serializers.UUIDField(source="run.pk")
    status = serializers.CharField(source="run.state")
    events_url = serializers.SerializerMethodField()

    def get_events_url(self, view: RunView) -> str:
        return f"/api/runs/{view.run.pk}/events"


class RunDetail(ChatPending):
    response = serializers.CharField(allow_null=True)
    proposals = ShownProposal(many=True)
    error = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="run.created_at")
    started_at = serializers.DateTimeField(source="run.started_at", allow_null=True)
    finished_at = serializers.DateTimeField(source="run.finished_at", allow_null=True)

    def get_error(self, view: RunView) -> dict[str, str] | None:
        return None if view.error is None else {"code": view.run.error_code, "detail": view.error}


class ConversationLine(serializers.ModelSerializer[Conversation]):
    class Meta:
        model = Conversation
        fields = ["id", "title", "created_at"]


class MessageLine(serializers.ModelSerializer[Message]):
    run_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = Message
        fields = ["id", "role", "content", "run_id", "proposal_id", "created_at"]


class ConversationDetail(serializers.Serializer[Thread]):
    id = serializers.UUIDField(source="conversation.pk")
    title = serializers.CharField(source="conversation.title")
    created_at = serializers.DateTimeField(source="conversation.created_at")
    messages = MessageLine(many=True)


class ConversationList(serializers.Serializer[Any]):
    conversations = ConversationLine(many=True)
