"""Proposing a trade, which the customer alone can approve."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from langchain.tools import ToolRuntime, tool
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from agents.context import AgentContext
from trading import proposals
from trading.states import Side

# Models write numbers; what they wrote is read as the exact decimal it looks like.
_Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]


class TradeIdea(BaseModel):
    """What the model may say about a trade; whose it is comes from the context."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    symbol: str = Field(pattern=r"^[A-Za-z0-9./-]{1,20}$", description="The ticker, like AAPL.")
    side: Literal["buy", "sell"]
    notional: _Number | None = Field(
        default=None,
        gt=0,
        max_digits=12,
        decimal_places=2,
        description="Dollars to buy or sell for. Give this or quantity, not both.",
    )
    quantity: _Number | None = Field(
        default=None,
        gt=0,
        max_digits=18,
        decimal_places=9,
        description="Shares to buy or sell. Give this or notional, not both.",
    )
    runtime: ToolRuntime[AgentContext, Any]


@tool(args_schema=TradeIdea, response_format="content_and_artifact")
def propose_trade(
    symbol: str,
    side: Literal["buy", "sell"],
    runtime: ToolRuntime[AgentContext, Any],
    notional: Decimal | None = None,
    quantity: Decimal | None = None,
) -> tuple[str, dict[str, str]]:
    """Show the customer one order to approve or reject. Nothing is bought or sold by this."""
    who = runtime.context
    proposal = proposals.propose_trade(
        principal=who.principal,
        account_id=who.account_id,
        run_id=who.run_id,
        tool_call_id=runtime.tool_call_id or "",
        symbol=symbol.upper(),
        side=Side.BUY if side == "buy" else Side.SELL,
        notional=notional,
        quantity=quantity,
        at=datetime.now(UTC),
    )
    said = (
        f"The customer now sees this proposal and must decide: {proposal.text} Nothing is done yet."
    )
    return said, {"proposal_id": str(proposal.pk)}
