"""Questions about conversations and runs; each says whose it is asking for."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from channels.db import database_sync_to_async
from django.db.models import Q

from agents.runtime import Speaker, Spoken
from chat import frames
from chat.frames import Frame
from chat.models import Conversation, Message, Run
from chat.states import Role, RunState
from core.auth import Principal, acting_as
from core.errors import NotFound
from core.intents.sending import release_connection
from trading import selectors as trading
from trading.states import ProposalOrigin

NO_RUN: Final = "There is no such run."
NO_CONVERSATION: Final = "There is no such conversation."
PAGE: Final = 50
# Nobody reads these but the model; it is shown a window of them anyway.
_MOST_EARLIER: Final = 60
_SILENCES_BEFORE_ASKING: Final = 2
_SPEAKERS: Final[dict[Role, Speaker]] = {
    Role.USER: "USER",
    Role.ASSISTANT: "ASSISTANT",
    Role.SYSTEM: "SYSTEM",
}
SORRY: Final = {
    "vendor_unavailable": "The assistant cannot be reached right now. Please try again shortly.",
    "vendor_rejected": "The assistant cannot answer this. Please say it in other words.",
    "turn_too_long": "The answer took too long. Please ask again.",
    "gave_up": "The answer could not be finished. Please ask again.",
}
SORRY_ANYWAY: Final = "Something went wrong on our side. Please ask again."


@dataclass(frozen=True, slots=True)
class ShownProposal:
    """A proposal as the customer sees it, and where it is approved."""

    id: UUID
    text: str
    hash: str
    state: str
    expires_at: datetime
    approve_url: str


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its answer, if there is one by now."""

    run: Run
    response: str | None
    proposals: Sequence[ShownProposal]

    @property
    def error(self) -> str | None:
        """Say in words why there will be no answer."""
        if self.run.state != RunState.FAILED:
            return None
        return SORRY.get(self.run.error_code, SORRY_ANYWAY)


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation and what was said in it."""

    conversation: Conversation
    messages: Sequence[Message]


def get_run(*, principal: Principal, run_id: UUID) -> RunView:
    """
    Return one run with its answer and its proposals as they are now.

    :raises NotFound: there is none, or it is somebody else's.
    """
    with acting_as(principal):
        run = Run.objects.filter(pk=run_id).first()
        if run is None:
            raise NotFound(NO_RUN)
        response = (
            Message.objects.filter(run=run, role=Role.ASSISTANT)
            .values_list("content", flat=True)
            .first()
        )
    return RunView(run, response, _proposals_of(run, principal))


def _proposals_of(run: Run, principal: Principal) -> list[ShownProposal]:
    """List what the run has proposed, and the fresh proposals that took the place of these."""
    if not run.proposal_ids:
        return []
    made = trading.list_proposals_of_runs(principal=principal, run_ids=[run.pk])
    return [
        _shown(proposal)
        for proposal in made.get(run.pk, [])
        if str(proposal.pk) in run.proposal_ids or proposal.origin == ProposalOrigin.PRICE_MOVED
    ]


def wait_for_run(*, principal: Principal, run_id: UUID, seconds: float) -> RunView:
    """
    Return the run as soon as it is over, or as it is when the time is up.

    No database connection is held while waiting.

    :raises NotFound: there is none, or it is somebody else's.
    """
    release_connection()
    frames.wait_for_ending(run_id, seconds=seconds)
    return get_run(principal=principal, run_id=run_id)


def show_proposals(*, principal: Principal, proposal_ids: Sequence[UUID]) -> list[ShownProposal]:
    """List proposals in the words that the customer is asked to approve."""
    return [
        _shown(trading.get_proposal(principal=principal, proposal_id=proposal_id))
        for proposal_id in proposal_ids
    ]


def _shown(proposal: Any) -> ShownProposal:
    return ShownProposal(
        id=proposal.pk,
        text=proposal.text,
        hash=proposal.hash,
        state=proposal.state,
        expires_at=proposal.expires_at,
        approve_url=f"/api/proposals/{proposal.pk}/approve",
    )


def list_conversations(*, principal: Principal) -> list[Conversation]:
    """List the principal's latest conversations, the newest first."""
    with acting_as(principal):
        return list(Conversation.objects.order_by("-id")[:PAGE])


def get_thread(*, principal: Principal, conversation_id: UUID) -> Thread:
    """
    Return one conversation with everything said in it, the oldest first.

    :raises NotFound: there is none, or it is somebody else's.
    """
    with acting_as(principal):
        conversation = Conversation.objects.filter(pk=conversation_id).first()
        if conversation is None:
            raise NotFound(NO_CONVERSATION)
        said = Message.objects.filter(conversation_id=conversation_id).order_by("pk")
        return Thread(conversation, list(said))


def list_earlier(*, principal: Principal, run: Run) -> list[Spoken]:
    """List what the model has not heard yet: what was said elsewhere, and our own notes."""
    with acting_as(principal):
        before = Run.objects.filter(conversation_id=run.conversation_id, pk__lt=run.pk)
        last = before.order_by("-pk").values_list("pk", flat=True).first()
        said = Message.objects.filter(
            Q(role=Role.SYSTEM) | Q(run=None), conversation_id=run.conversation_id
        )
        if last is not None:
            said = said.filter(pk__gt=last)
        newest = list(said.order_by("-pk")[:_MOST_EARLIER])
    return [Spoken(str(m.pk), _SPEAKERS[Role(m.role)], m.content) for m in reversed(newest)]


def follow_run(
    *, principal: Principal, run_id: UUID, after: str | None
) -> AsyncGenerator[Frame | None]:
    """
    Open the frames of a run, from the one after `after` on; `None` is a second of silence.

    :raises NotFound: there is none, or it is somebody else's.
    """
    get_run(principal=principal, run_id=run_id)
    release_connection()
    return _follow(principal, run_id, frames.position_in(after))


async def _follow(
    principal: Principal, run_id: UUID, position: str
) -> AsyncGenerator[Frame | None]:
    """Watch the stream; when it is silent, see in the database whether the run is over."""
    ask = database_sync_to_async(get_run, thread_sensitive=False)
    silences = _SILENCES_BEFORE_ASKING  # look at once when there is nothing to begin with
    async with aclosing(frames.follow_patiently(run_id, after=position)) as found:
        async for frame in found:
            yield frame
            silences = silences + 1 if frame is None else 0
            if silences < _SILENCES_BEFORE_ASKING:
                continue
            silences = 0
            view = await ask(principal=principal, run_id=run_id)
            if view.run.is_over:
                yield ending_of(view)
                return


def ending_of(view: RunView) -> Frame:
    """Make the last frame of a run that is over."""
    metadata = {"run_id": view.run.pk, "session_id": view.run.conversation_id}
    if view.run.state == RunState.FAILED:
        return Frame("error", {"code": view.run.error_code, "detail": view.error}, metadata)
    return Frame(
        "messages_complete",
        {"response": view.response, "proposals": [_as_data(p) for p in view.proposals]},
        metadata,
    )


def interrupt_of(proposal: ShownProposal, run: Run) -> Frame:
    """Make the frame that asks the customer to approve a proposal."""
    metadata = {"run_id": run.pk, "session_id": run.conversation_id}
    return Frame("interrupt", {"value": proposal.text, "proposal": _as_data(proposal)}, metadata)


def _as_data(proposal: ShownProposal) -> dict[str, object]:
    return {name: getattr(proposal, name) for name in ShownProposal.__dataclass_fields__}
