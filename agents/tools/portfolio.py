"""Reading what the customer owns."""

from datetime import UTC, datetime
from typing import Any

from langchain.tools import ToolRuntime, tool
from pydantic import BaseModel, ConfigDict

from agents.context import AgentContext
from core import exact_json
from portfolio import selectors


class Nothing(BaseModel):
    """The model chooses nothing here: the account is the customer's own."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    runtime: ToolRuntime[AgentContext, Any]


@tool(args_schema=Nothing)
def get_portfolio_summary(runtime: ToolRuntime[AgentContext, Any]) -> str:
    """Read the customer's cash, positions and total value as they are now, in US dollars."""
    who = runtime.context
    summary = selectors.get_summary(
        principal=who.principal, account_id=who.account_id, at=datetime.now(UTC)
    )
    return exact_json.dumps(summary)
