"""The graph of one turn: the model speaks, tools run, the model speaks, until it has answered."""

from collections.abc import Callable
from typing import Any

import structlog
from django.db import connection
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.errors import GraphBubbleUp
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from agents.context import AgentContext
from agents.gateways import GetModel
from agents.gateways.llm import get_model
from agents.nodes import model as model_node
from agents.nodes import tools as tools_node
from agents.state import TurnState
from agents.tools import TOOLS

logger = structlog.get_logger()
MODEL = "model"
TOOL_STEP = "tools"
OUR_FAULT = "This did not work, because of a fault on our side."


def build(
    get_model: GetModel = get_model,
) -> "StateGraph[TurnState, AgentContext, TurnState, TurnState]":
    """Build the graph; whoever compiles it decides where its checkpoints go."""
    builder = StateGraph(TurnState, context_schema=AgentContext)
    builder.add_node(MODEL, model_node.make(get_model, TOOLS))
    builder.add_node(TOOL_STEP, tools_node.make(TOOLS, around=_guarded))
    builder.add_edge(START, MODEL)
    builder.add_conditional_edges(MODEL, _next_after_model, [TOOL_STEP, END])
    builder.add_edge(TOOL_STEP, MODEL)
    return builder


def _next_after_model(state: TurnState) -> str:
    said = state["messages"][-1]
    return TOOL_STEP if isinstance(said, AIMessage) and said.tool_calls else END


def _guarded(
    request: ToolCallRequest, execute: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
) -> ToolMessage | Command[Any]:
    """
    Give the database connection of the tool's short-lived thread back when the tool is done.

    A tool call is an outside event like a request: a fault of ours is logged and the model is told
    that there was one, so that the customer still gets an answer.
    """
    try:
        return execute(request)
    except GraphBubbleUp:
        raise
    except Exception:
        logger.exception("tool.broken", tool=request.tool_call["name"])
        call = request.tool_call
        return ToolMessage(
            OUR_FAULT, name=call["name"], tool_call_id=call["id"] or "", status="error"
        )
    finally:
        if not connection.in_atomic_block:
            connection.close()


# For `langgraph.json`, which brings its own checkpointer.
graph = build().compile()
