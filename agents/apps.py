"""The agents have no tables of their own; `setup_checkpoints` makes LangGraph's."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from core.resealing import Place


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from core import resealing  # noqa: PLC0415 - models load before this

        resealing.include(_checkpoints)


def _checkpoints() -> "Iterable[Place]":
    from agents import checkpoints  # noqa: PLC0415 - LangGraph is slow to import

    return checkpoints.places()
