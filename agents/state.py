"""What the graph carries from step to step, and how much of it one turn may use."""

from typing import Annotated, Any, Final, Protocol, TypedDict

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph.message import add_messages

MAX_MODEL_CALLS: Final = 8
MAX_TOOL_CALLS: Final = 10
# One step for each model call and one for the tools after it stay well below this.
RECURSION_LIMIT: Final = 25


class TurnState(TypedDict):
    """The conversation, and the counters of the turn that `run_id` names."""

    messages: Annotated[list[AnyMessage], add_messages]
    run_id: str
    model_calls: int
    tool_calls: int


class Step(Protocol):
    """One step of the graph: it returns what it adds to the state."""

    def __call__(self, state: TurnState) -> dict[str, Any]: ...


class StepWithConfig(Protocol):
    """A step that calls other runnables, which need the configuration of the run."""

    def __call__(self, state: TurnState, config: RunnableConfig) -> dict[str, Any]: ...
