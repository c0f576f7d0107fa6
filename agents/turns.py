"""Running one turn of the graph: from a question, or from where a dead worker left it."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph.state import CompiledStateGraph

from agents import checkpoints, graph
from agents.context import AgentContext
from agents.nodes.model import HISTORY_LENGTH
from agents.output import Cleaner, clean
from agents.runtime import (
    Answer,
    Progress,
    Proposed,
    Question,
    Spoken,
    Token,
    ToolUpdate,
    TurnTooLong,
)
from agents.state import RECURSION_LIMIT

NOT_CARRIED_OUT: Final = "Not carried out: the turn ended before."
LONGEST_MEMORY: Final = 2 * HISTORY_LENGTH
_KINDS: Final[dict[str, type[HumanMessage | AIMessage | SystemMessage]]] = {
    "USER": HumanMessage,
    "ASSISTANT": AIMessage,
    "SYSTEM": SystemMessage,
}
Emit = Callable[[Progress], None]
Graph = CompiledStateGraph[Any, Any, Any, Any]


def run(question: Question, *, emit: Emit, at: datetime) -> Answer:
    """Run the turn under the conversation's lock; see `agents.runtime.run_turn`."""
    with checkpoints.one_turn_at_a_time(question.conversation_id):
        saver = checkpoints.saver()
        compiled = graph.build().compile(checkpointer=saver)
        config: RunnableConfig = {
            "configurable": {"thread_id": str(question.conversation_id)},
            "recursion_limit": RECURSION_LIMIT,
        }
        kept = _kept(saver, config)
        is_begun = kept.get("run_id") == str(question.run_id)
        # A finished step may wait to be taken over, so what is next says less than what is planned.
        if not is_begun or compiled.get_state(config).tasks:
            given = None if is_begun else _first_step(kept, question, at=at)
            _stream(compiled, given, config, question, emit)
            # Only the last step is ever read again; each one holds the whole conversation.
            saver.prune([str(question.conversation_id)])
        return _answer(compiled.get_state(config).values, question.run_id)


def _kept(saver: PostgresSaver, config: RunnableConfig) -> dict[str, Any]:
    """
    Read the last complete step.

    What a dead worker had finished of the step after it counts only for the turn that resumes;
    a new question discards it.
    """
    checkpoint = saver.get(config)
    return {} if checkpoint is None else checkpoint["channel_values"]


def _first_step(kept: dict[str, Any], question: Question, *, at: datetime) -> dict[str, Any]:
    """Add the question, after closing whatever a failed turn before it has left open."""
    known: Sequence[AnyMessage] = kept.get("messages", ())
    known_ids = {message.id for message in known}
    earlier = [_message(said) for said in question.earlier if said.id not in known_ids]
    today = SystemMessage(f"Now: {at:%A %Y-%m-%d %H:%M} UTC.", id=f"{question.run_id}.now")
    asked = HumanMessage(question.text, id=str(question.run_id))
    return {
        "messages": [*_forgotten(known), *_closing(known), *earlier, today, asked],
        "run_id": str(question.run_id),
        "model_calls": 0,
        "tool_calls": 0,
    }


def _forgotten(messages: Sequence[AnyMessage]) -> list[RemoveMessage]:
    """Drop whole turns from the front once the memory is longer than any model is shown."""
    spare = len(messages) - LONGEST_MEMORY
    questions = (i for i, m in enumerate(messages) if isinstance(m, HumanMessage) and i >= spare)
    end = next(questions, 0) if spare > 0 else 0
    return [RemoveMessage(id=m.id) for m in messages[:end] if m.id is not None]


def _message(said: Spoken) -> HumanMessage | AIMessage | SystemMessage:
    return _KINDS[said.role](said.text, id=said.id)


def _closing(messages: Sequence[AnyMessage]) -> list[ToolMessage]:
    """Answer every tool call that nothing has answered; models refuse a conversation with one."""
    answered = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
    asked = (c for m in messages if isinstance(m, AIMessage) for c in m.tool_calls)
    return [
        ToolMessage(NOT_CARRIED_OUT, name=call["name"], tool_call_id=call["id"], status="error")
        for call in asked
        if call["id"] is not None and call["id"] not in answered
    ]


def _stream(
    compiled: Graph,
    given: dict[str, Any] | None,
    config: RunnableConfig,
    question: Question,
    emit: Emit,
) -> None:
    context = AgentContext(question.principal, question.run_id, question.account_id)
    words = _Words(emit)
    deadline = time.monotonic() + settings.CHAT_TURN_SECONDS
    steps = compiled.stream(
        given, config, context=context, stream_mode=["messages", "updates"], durability="sync"
    )
    data: Any  # a message with its metadata, or what each finished step has written
    for mode, data in steps:
        if time.monotonic() > deadline:
            raise TurnTooLong
        if mode == "messages":
            words.hear(*data)
            continue
        words.end()
        for progress in _progress(data):
            emit(progress)
    words.end()


class _Words:
    """Passes the model's words on while they come, cleaned."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._message_id = ""
        self._cleaner = Cleaner()

    def hear(self, message: BaseMessage, metadata: dict[str, Any]) -> None:
        if not isinstance(message, AIMessageChunk) or metadata.get("langgraph_node") != graph.MODEL:
            return
        if message.id != self._message_id:
            self.end()
            self._message_id = message.id or ""
        self._tell(self._cleaner.feed(message.text))

    def end(self) -> None:
        self._tell(self._cleaner.flush())

    def _tell(self, text: str) -> None:
        if text:
            self._emit(Token(self._message_id, text))


def _progress(updates: dict[str, Any]) -> Iterator[Progress]:
    """Say what a finished step means to somebody who watches."""
    for update in updates.values():
        for message in (update or {}).get("messages", ()):
            if isinstance(message, AIMessage):
                for call in message.tool_calls:
                    yield ToolUpdate(call["name"], "CALLING")
            elif isinstance(message, ToolMessage):
                failed = message.status == "error"
                yield ToolUpdate(message.name or "", "FAILED" if failed else "DONE")
                for proposal_id in _proposals_in([message]):
                    yield Proposed(proposal_id)


def _proposals_in(messages: Sequence[BaseMessage]) -> list[UUID]:
    found = []
    for message in messages:
        artifact = message.artifact if isinstance(message, ToolMessage) else None
        if isinstance(artifact, dict) and "proposal_id" in artifact:
            found.append(UUID(artifact["proposal_id"]))
    return list(dict.fromkeys(found))


def _answer(kept: dict[str, Any], run_id: UUID) -> Answer:
    """Take the last words of the turn, and every proposal made since its question."""
    messages: list[AnyMessage] = kept["messages"]
    start = max(i for i, message in enumerate(messages) if message.id == str(run_id))
    turn = messages[start:]
    said = [m for m in turn if isinstance(m, AIMessage)]
    return Answer(clean(said[-1].text), tuple(_proposals_in(turn)))
