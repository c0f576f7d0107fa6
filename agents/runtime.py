"""The door to the agents: one turn of a conversation, and nothing heavy before it is needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from core.auth import Principal
from core.errors import CleraError

Speaker: TypeAlias = Literal["USER", "ASSISTANT", "SYSTEM"]


class ConversationBusy(CleraError):
    code = "conversation_busy"
    status = 409
    detail = "Another turn of this conversation is still running."


class TurnTooLong(CleraError):
    code = "turn_too_long"
    status = 503
    detail = "The answer took too long; please ask again."


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something said earlier that the model should know; `id` keeps it from counting twice."""

    id: str
    role: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a turn ended with."""

    text: str
    proposal_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """Some words of a message, as they come."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolUpdate:
    """A tool was started (`CALLING`) or has answered (`DONE`, `FAILED`)."""

    tool: str
    status: Literal["CALLING", "DONE", "FAILED"]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal now waits for the customer."""

    proposal_id: UUID


Progress: TypeAlias = Token | ToolUpdate | Proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One message of a customer, and what the answer may rest on."""

    principal: Principal
    conversation_id: UUID
    run_id: UUID
    text: str
    account_id: UUID | None = None
    # Known only to the caller: what was said elsewhere, and what became of proposals.
    earlier: Sequence[Spoken] = field(default=())


def prepare() -> None:
    """Load what a turn needs, so that the first customer does not wait for it."""
    from agents import turns  # noqa: F401, PLC0415 - see `run_turn`


def run_turn(question: Question, *, emit: Callable[[Progress], None], at: datetime) -> Answer:
    """
    Answer a question, or finish answering it after a crash, from the last kept step.

    `emit` hears of every piece of progress. Repeating a finished turn returns its answer.

    :raises ConversationBusy: another turn of the conversation is running.
    :raises TurnTooLong: the time for one turn is over.
    :raises VendorUnavailable: the model cannot be reached; try the same turn again later.
    :raises VendorRejected: the model refuses the conversation.
    """
    from agents import turns  # noqa: PLC0415 - a second and 100 MiB that `web` never needs

    return turns.run(question, emit=emit, at=at)
