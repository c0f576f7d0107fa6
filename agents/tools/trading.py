"""Proposing a trade, which the customer alone can approve."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from langchain.tools import ToolRuntime, tool
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from agents.context import AgentContext
from trading import proposals
from trading.states import OrderType, Side, TimeInForce
from trading.tickets import Ticket

# Models write numbers; what they wrote is read as the exact decimal it looks like.
_Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]
_OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
_Term = Literal["day", "gtc", "ioc", "fok", "opg", "cls"]


def _price(description: str) -> Any:
    return Field(default=None, gt=0, max_digits=12, decimal_places=4, description=description)


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
    order_type: _OrderType = Field(default="market", description="Market unless asked otherwise.")
    limit_price: _Number | None = _price("Of a limit or stop_limit order: the worst price.")
    stop_price: _Number | None = _price("Of a stop or stop_limit order: what sets it off.")
    trail_price: _Number | None = _price("Of a trailing_stop order: dollars behind the best price.")
    trail_percent: _Number | None = _price("The same in per cent: 1.5 means 1.5 %.")
    time_in_force: _Term = Field(default="day", description="How long it works.")
    extended_hours: bool = Field(
        default=False, strict=True, description="A limit order for the day outside regular hours."
    )
    runtime: ToolRuntime[AgentContext, Any]


@tool(args_schema=TradeIdea, response_format="content_and_artifact")
def propose_trade(  # noqa: PLR0917 - as the model calls it, by name
    symbol: str,
    side: Literal["buy", "sell"],
    runtime: ToolRuntime[AgentContext, Any],
    notional: Decimal | None = None,
    quantity: Decimal | None = None,
    order_type: _OrderType = "market",
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    trail_price: Decimal | None = None,
    trail_percent: Decimal | None = None,
    time_in_force: _Term = "day",
    extended_hours: bool = False,  # noqa: FBT001, FBT002 - the model calls it by name
) -> tuple[str, dict[str, str]]:
    """Show the customer one order to approve or reject. Nothing is bought or sold by this."""
    who = runtime.context
    ticket = Ticket(
        symbol=symbol,
        side=Side(side.upper()),
        quantity=quantity,
        notional=notional,
        order_type=OrderType(order_type.upper()),
        limit_price=limit_price,
        stop_price=stop_price,
        trail_price=trail_price,
        trail_percent=trail_percent,
        time_in_force=TimeInForce(time_in_force.upper()),
        extended_hours=extended_hours,
    )
    proposal = proposals.propose_trade(
        principal=who.principal,
        account_id=who.account_id,
        run_id=who.run_id,
        tool_call_id=runtime.tool_call_id or "",
        ticket=ticket,
        at=datetime.now(UTC),
    )
    said = [
        f"The customer now sees this proposal and must decide: {proposal.summary}",
        *proposal.warnings,
        "Nothing is done yet.",
    ]
    return " ".join(said), {"proposal_id": str(proposal.pk)}
