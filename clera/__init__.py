"""The project: settings, URLs, ASGI and Celery. It wires the apps and holds no rules."""

from clera.celery import app as celery_app

__all__ = ["celery_app"]
