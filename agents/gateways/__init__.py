"""What the agents need from a language model."""

from collections.abc import Sequence
from typing import Protocol

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool


class Model(Protocol):
    """A language model that has been told which tools it may call."""

    def invoke(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """
        Read the conversation and return what the model says or wants to call.

        :raises VendorUnavailable: no usable answer; asking again is harmless.
        :raises VendorRejected: the vendor refuses this conversation.
        """
        ...


class GetModel(Protocol):
    """Hands out the model of the day."""

    def __call__(self, tools: Sequence[BaseTool]) -> Model: ...
