"""The project: settings, URLs, ASGI and Celery. It wires the apps and holds no rules."""
