"""The agents have no tables of their own; `setup_checkpoints` makes LangGraph's."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
