"""Gives every request an id and writes one line about it, without query string or body."""

import re
import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponseBase

from core.auth.principals import Principal
from core.ids import new_id

logger = structlog.get_logger()
HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
Handler = Callable[[HttpRequest], HttpResponseBase]


class RequestContext:
    """Binds the id to whatever is logged until the answer is there."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id, started = _request_id(request), time.monotonic()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self._get_response(request)
            _finish(request, response, request_id=request_id, started=started)
        return response


def _request_id(request: HttpRequest) -> str:
    """Accept the caller's id when it is harmless in a log, else make one."""
    given = request.headers.get(HEADER, "")
    return given if _SANE.fullmatch(given) else str(new_id())


def _finish(
    request: HttpRequest, response: HttpResponseBase, *, request_id: str, started: float
) -> None:
    response.headers[HEADER] = request_id
    match = request.resolver_match
    user = request.__dict__.get("user")  # by its type: the session's lazy user would wake up
    logger.info(
        "request.finished",
        method=request.method,
        route=match.route if match else None,
        status=response.status_code,
        ms=round((time.monotonic() - started) * 1000),
        principal=user.name if type(user) is Principal else None,
    )
