"""The step that runs the tools the model asked for, as many as the turn allows."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallWrapper, ToolInvocationError

from agents.state import MAX_TOOL_CALLS, StepWithConfig, TurnState
from core.errors import CleraError

OUT_OF_CALLS = "No more tools may be called in this turn; answer with what you know."
_LONGEST_REASON = 400


def make(tools: Sequence[BaseTool], *, around: ToolCallWrapper) -> StepWithConfig:
    """Build the step; `around` is called around every single tool call."""
    runner = ToolNode(list(tools), handle_tool_errors=explain, wrap_tool_call=around)

    def run_tools(state: TurnState, config: RunnableConfig) -> dict[str, Any]:
        asked = state["messages"][-1]
        assert isinstance(asked, AIMessage)  # noqa: S101 - the graph comes here from the model only
        room = max(0, MAX_TOOL_CALLS - state["tool_calls"])
        allowed, refused = asked.tool_calls[:room], asked.tool_calls[room:]
        answers: list[ToolMessage] = []
        if allowed:
            one_by_one: RunnableConfig = {**config, "max_concurrency": 1}
            given = {"messages": [asked.model_copy(update={"tool_calls": allowed})]}
            answers = runner.invoke(given, one_by_one)["messages"]
        return {
            "messages": [*answers, *map(_refusal, refused)],
            "tool_calls": state["tool_calls"] + len(allowed),
        }

    return run_tools


def explain(error: ToolInvocationError | CleraError) -> str:
    """Put what went wrong into one sentence for the model."""
    if isinstance(error, CleraError):
        rules = [rule for rules in error.field_errors.values() for rule in rules]
        return " ".join([error.detail, *rules])[:_LONGEST_REASON]
    problems = error.filtered_errors or error.source.errors()
    reasons = (
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in problems
    )
    return f"The arguments are not valid. {'; '.join(reasons)}"[:_LONGEST_REASON]


def _refusal(call: ToolCall) -> ToolMessage:
    return ToolMessage(
        OUT_OF_CALLS, name=call["name"], tool_call_id=call["id"] or "", status="error"
    )
