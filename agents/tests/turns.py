"""Words that the tests of turns share."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from agents import checkpoints
from agents.runtime import Answer, Progress, Token

Ask = Callable[..., Answer]
BUY = {"symbol": "AAPL", "side": "buy", "notional": 250}


def called(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments, **more}]}


def kept_messages(conversation_id: UUID) -> list[Any]:
    kept = checkpoints.saver().get({"configurable": {"thread_id": str(conversation_id)}})
    assert kept is not None
    messages: list[Any] = kept["channel_values"]["messages"]
    return messages


def tokens(heard: list[Progress]) -> str:
    return "".join(p.text for p in heard if isinstance(p, Token))
