"""The step in which the model reads the conversation and answers, or asks for tools."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import ormsgpack
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.tool import ToolCall, tool_call
from langchain_core.tools import BaseTool

from agents import prompts
from agents.state import MAX_MODEL_CALLS, Step, TurnState
from core.ids import new_id

HISTORY_LENGTH = 60
OUT_OF_STEPS = "I could not finish this within the steps I may take. Please ask for less at once."
NO_ANSWER = "I have no answer to that. Please say it in other words."
_LONGEST_CALL_ID = 64
_LONGEST_NAME = 64
_LARGEST_ARGUMENTS = 4096


class _Model(Protocol):
    def invoke(self, messages: Sequence[BaseMessage]) -> AIMessage: ...


def make(get_model: Callable[[Sequence[BaseTool]], _Model], tools: Sequence[BaseTool]) -> Step:
    """Build the step from where models come from and what they may call."""

    def ask_model(state: TurnState) -> dict[str, Any]:
        said = get_model(tools).invoke(_shown(state["messages"]))
        calls = state["model_calls"] + 1
        known_ids = {call["id"] for call in _calls_in(state["messages"])}
        return {
            "messages": [_tidied(said, known_ids, is_last=calls >= MAX_MODEL_CALLS)],
            "model_calls": calls,
        }

    return ask_model


def _shown(messages: Sequence[AnyMessage]) -> list[BaseMessage]:
    """Show the model its instructions and the latest messages, beginning with a question."""
    recent = list(messages[-HISTORY_LENGTH:])
    if len(messages) > HISTORY_LENGTH:
        while recent and not isinstance(recent[0], HumanMessage):
            recent.pop(0)
    # A turn that alone fills the window is shown from its own question on.
    if not recent:
        start = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
        recent = list(messages[start:])
    return [SystemMessage(prompts.read("assistant")), *recent]


def _calls_in(messages: Iterable[AnyMessage]) -> Iterable[ToolCall]:
    for message in messages:
        if isinstance(message, AIMessage):
            yield from message.tool_calls


def _tidied(said: AIMessage, known_ids: set[str | None], *, is_last: bool) -> AIMessage:
    """
    Keep of the model's message only what the next steps can rely on.

    Calls get ids that occur once, unreadable calls become calls without arguments so that they
    are answered like any other, and the last call allowed ends in words.
    """
    calls = [] if is_last else _usable_calls(said, known_ids)
    text = _whole(said.text).strip()
    if not calls and not text:
        text = OUT_OF_STEPS if is_last else NO_ANSWER
    return AIMessage(content=text, id=said.id, tool_calls=calls, usage_metadata=said.usage_metadata)


def _usable_calls(said: AIMessage, known_ids: set[str | None]) -> list[ToolCall]:
    taken = set(known_ids)
    readable = [(call["name"], call["args"], call["id"]) for call in said.tool_calls]
    unreadable: list[tuple[str, dict[str, Any], str | None]] = [
        (call.get("name") or "unreadable", {}, call.get("id")) for call in said.invalid_tool_calls
    ]
    return [_with_own_id(*call, taken) for call in [*readable, *unreadable]]


def _with_own_id(
    name: str, args: dict[str, Any], given: str | None, taken: set[str | None]
) -> ToolCall:
    """Keep the model's id when it is new and short: a proposal is found again by it."""
    given = _whole(given or "")
    is_usable = given and given not in taken and len(given) <= _LONGEST_CALL_ID
    call_id = given if is_usable else str(new_id())
    taken.add(call_id)
    return tool_call(name=_whole(name)[:_LONGEST_NAME], args=_keepable(args), id=call_id)


def _keepable(args: dict[str, Any]) -> dict[str, Any]:
    """Drop arguments that no checkpoint could hold, such as integers beyond 64 bits."""
    try:
        size = len(ormsgpack.packb(args))
    except (TypeError, ValueError):
        return {}
    return args if size <= _LARGEST_ARGUMENTS else {}


def _whole(text: str) -> str:
    """Replace halves of surrogate pairs, which cannot be stored or sent on."""
    return text.encode("utf-8", "replace").decode()
