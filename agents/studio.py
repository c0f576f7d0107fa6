"""The graph for `langgraph dev`, which knows nothing of Django; it brings its own checkpointer."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clera.settings.local")
django.setup()

from agents.graph import graph  # noqa: E402 - the tools' tables exist only after the set-up

__all__ = ["graph"]
