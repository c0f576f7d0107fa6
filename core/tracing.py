"""Which request, or which task, is being worked on: the id by which traces of it are joined."""

import structlog


def current_request_id() -> str | None:
    """Return the id of the request or task being worked on, or nothing outside of one."""
    found = structlog.contextvars.get_contextvars().get("request_id")
    return None if found is None else str(found)
