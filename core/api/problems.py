"""One shape for everything that goes wrong: application/problem+json."""

import math
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import redis
import structlog
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from core import exact_json
from core.errors import CleraError, Forbidden, NotFound, ServiceBusy, Unauthenticated
from core.rate_limits import Throttled
from core.tracing import current_request_id

logger = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
BUSY_RETRY_SECONDS = 2
_WHOLE_BODY = "non_field_errors"
# DRF's own words for these quote the value that was sent, which may be a secret.
_RULES_WITHOUT_VALUE = {
    "invalid_choice": "This is not one of the allowed values.",
    "does_not_exist": "There is no such thing.",
}
_CODES = {
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.UNAUTHORIZED: "unauthenticated",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
}


class Unexpected(CleraError):
    """A fault of ours; the log knows more and the caller does not."""

    code = "internal_error"
    status = 500
    detail = "Something went wrong on our side. Quote the request id when you report it."


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer any exception of a view; DRF's EXCEPTION_HANDLER."""
    body, headers = describe(error)
    if body["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request.failed", view=type(context.get("view")).__name__, exc_info=error)
    response = Response(body, status=body["status"], headers=headers)
    response.content_type = MEDIA_TYPE
    return response


def describe(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """Put any exception into words a caller may read, with the headers that go with them."""
    if isinstance(error, exceptions.APIException):
        problem, retry_after = _from_framework(error)
    else:
        ours = error if isinstance(error, CleraError) else _translated(error)
        problem, retry_after = _from_ours(ours), ours.retry_after_seconds
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, Throttled):
        headers |= error.headers
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if problem["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem, headers


def _translated(error: Exception) -> CleraError:
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, DjangoPermissionDenied):
        return Forbidden()
    if isinstance(error, OperationalError | InterfaceError | redis.RedisError):
        logger.warning("request.dependency_away", error=type(error).__name__)
        return ServiceBusy(retry_after_seconds=BUSY_RETRY_SECONDS)
    return Unexpected()


def _from_ours(error: CleraError) -> dict[str, Any]:
    problem = _problem(error.status, error.code, error.detail)
    if error.field_errors:
        problem["field_errors"] = {path: list(rules) for path, rules in error.field_errors.items()}
    return {**error.extra, **problem}


def _from_framework(error: exceptions.APIException) -> tuple[dict[str, Any], int | None]:
    if isinstance(error, exceptions.ValidationError):
        fields = flatten(error.detail)
        problem = _problem(error.status_code, "invalid", _first_sentence(fields))
        return problem | {"field_errors": fields}, None
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return _from_ours(Unauthenticated()), None
    status = HTTPStatus(error.status_code)
    problem = _problem(status, _CODES.get(status, "error"), str(error.detail))
    wait = getattr(error, "wait", None)  # only a throttled request has one
    return problem, None if wait is None else max(1, math.ceil(wait))


def _problem(status: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "request_id": current_request_id(),
    }


def flatten(detail: Any) -> dict[str, list[str]]:
    """Turn DRF's nested errors into rules by dotted path: `alpacaData.identity.tax_id`."""
    found: dict[str, list[str]] = {}
    for path, rule in _rules(detail, ""):
        found.setdefault(path or _WHOLE_BODY, []).append(rule)
    return found


def _rules(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from _rules(inner, path if key == _WHOLE_BODY else _joined(path, key))
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for index, inner in enumerate(detail):
            # A list of texts is one field's rules; a list of maps is one map per list item.
            yield from _rules(inner, path if isinstance(inner, str) else _joined(path, index))
    else:
        yield path, _RULES_WITHOUT_VALUE.get(getattr(detail, "code", ""), str(detail))


def _joined(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _first_sentence(fields: Mapping[str, Sequence[str]]) -> str:
    path, rules = next(iter(fields.items()), (_WHOLE_BODY, ["The request is not valid."]))
    return rules[0] if path == _WHOLE_BODY else f"{path}: {rules[0]}"


# What Django calls outside of a view. Pages of the admin and the console stay pages.


def _answer(request: HttpRequest, error: CleraError) -> HttpResponse | None:
    wants_page = "text/html" in request.headers.get("Accept", "")
    if wants_page and not request.path.startswith("/api/"):
        return None
    return answer(error)


def answer(error: CleraError) -> HttpResponse:
    """Answer an error outside of any view."""
    body, headers = describe(error)
    return HttpResponse(
        exact_json.dumps(body), status=error.status, content_type=MEDIA_TYPE, headers=headers
    )


class BadRequest(CleraError):
    code = "invalid"
    status = 400
    detail = "The request cannot be read."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what Django refuses to read; `handler400`."""
    return _answer(request, BadRequest()) or defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what Django forbids; `handler403`."""
    return _answer(request, Forbidden()) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a path that leads nowhere; `handler404`."""
    return _answer(request, NotFound()) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer an exception that no view caught; `handler500`. Django has logged it."""
    return _answer(request, Unexpected()) or defaults.server_error(request)
