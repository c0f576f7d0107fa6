"""What a turn knows about the customer; it comes from us and never from the model."""

from dataclasses import dataclass
from uuid import UUID

from core.auth import Principal


@dataclass(frozen=True, slots=True)
class AgentContext:
    """For whom the model works in this turn; a tool reads it and no prompt can change it."""

    principal: Principal
    run_id: UUID
    account_id: UUID | None
