"""What OpenAPI must know about us: who asks, what may go wrong, and what every route is for."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from core.api.authentication import ACT_FOR_HEADER
from core.api.permissions import needed_scope
from core.api.problems import MEDIA_TYPE

_PROBLEM: Final = "Problem"
_CREATED: Final = ("200", "201")

ACT_FOR = OpenApiParameter(
    ACT_FOR_HEADER,
    str,
    OpenApiParameter.HEADER,
    description="The customer whose data is meant, when a service with `act_for` asks.",
)


def idempotency_key(*, is_required: bool) -> OpenApiParameter:
    """Describe the header by which repeating a request has one effect."""
    return OpenApiParameter(
        "Idempotency-Key",
        str,
        OpenApiParameter.HEADER,
        required=is_required,
        description="A value of your choice, up to 255 characters. The same key with the same body"
        " gets the first answer again; with another body it is refused with 422.",
    )


def asked(name: str, body: Any) -> OpenApiExample:
    """Show a body that a client may send."""
    return OpenApiExample(name, value=body, request_only=True)


def answered(name: str, body: Any, *statuses: str) -> OpenApiExample:
    """Show an answer; without statuses it is the one to a success."""
    return OpenApiExample(
        name, value=body, response_only=True, status_codes=list(statuses or _CREATED)
    )


class Schema(AutoSchema):
    """Takes tag, summary and scope of a route from its app, its docstring and its view."""

    def get_tags(self) -> list[str]:
        """Group by app."""
        app = type(self.view).__module__.partition(".")[0]
        return ["System" if app == "core" else app.capitalize()]

    def get_summary(self) -> str | None:
        """Use the one sentence that says what the method does."""
        first = self._method_doc().partition("\n\n")[0]
        return " ".join(first.split()).rstrip(".") or None

    def get_description(self) -> str:  # type: ignore[override]  # as the base class does
        """Say the rest of it, and what a key needs."""
        more = self._method_doc().partition("\n\n")[2].strip()
        scope = needed_scope(self.method, self.view)
        named = "" if scope is None else f"A key needs the scope `{scope}`."
        return "\n\n".join(part for part in (more, named) if part)

    def get_override_parameters(self) -> list[Any]:
        """Offer every route about customers the header by which a service names one."""
        scope = needed_scope(self.method, self.view) or ""
        is_about_customers = self.view.get_authenticators() and not scope.startswith("market:")
        return [ACT_FOR] if is_about_customers else []

    def _method_doc(self) -> str:
        method = getattr(self.view, self.method.lower(), None)
        return str(get_doc(method) or "")


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "core.api.authentication.BearerToken"
    name = "bearerToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A customer's access token, as Supabase issued it.",
        }


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "core.api.authentication.ApiKeyHeader"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "A service's key, `clr_...`; it may do what its scopes say.",
        }


_PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "example": "about:blank"},
        "title": {"type": "string", "example": "Bad Request"},
        "status": {"type": "integer", "example": 400},
        "code": {
            "type": "string",
            "example": "invalid",
            "description": "Stable; decide by this.",
        },
        "detail": {"type": "string", "description": "One sentence for people."},
        "field_errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "Rules by dotted path, such as `alpacaData.identity.tax_id`.",
        },
        "request_id": {"type": "string", "nullable": True},
    },
}
_REQUEST_ID: Final = "01a20820-950b-740e-a5b1-fa9eff19c86c"
# Which problem an operation may answer, and an instance of it: status, code, title, detail.
_PROBLEMS: Final = {
    "Invalid": (400, "invalid", "Bad Request", "Write plain digits with at most 2 decimal places."),
    "Unauthenticated": (
        401,
        "unauthenticated",
        "Unauthorized",
        "Send a valid bearer token or X-API-Key.",
    ),
    "NotFound": (404, "not_found", "Not Found", "There is no such thing."),
    "Conflict": (
        409,
        "possible_duplicate",
        "Conflict",
        "The same request was made a moment ago.",
    ),
    "Refused": (
        422,
        "idempotency_key_reused",
        "Unprocessable Entity",
        "This Idempotency-Key was used with another body; use a new key for a new request.",
    ),
}
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation the problems that it may answer; a postprocessing hook."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})[_PROBLEM] = dict(_PROBLEM_SCHEMA)
    components["responses"] = {
        name: _answer(f"{title}.", _instance(status, code, title, detail))
        for name, (status, code, title, detail) in _PROBLEMS.items()
    }
    for path, operations in result.get("paths", {}).items():
        for method, operation in operations.items():
            if method in _METHODS:
                _add_to(operation, is_about_one="{" in path)
    return result


def _add_to(operation: dict[str, Any], *, is_about_one: bool) -> None:
    responses = operation.setdefault("responses", {})
    for name in _problems_of(operation, is_about_one=is_about_one):
        status = str(_PROBLEMS[name][0])
        responses.setdefault(status, {"$ref": f"#/components/responses/{name}"})
    responses.setdefault("default", _answer("Any other problem.", None))


def _problems_of(operation: Mapping[str, Any], *, is_about_one: bool) -> Iterator[str]:
    parameters = operation.get("parameters", [])
    if "requestBody" in operation or any(p["in"] == "query" for p in parameters):
        yield "Invalid"
    if {} not in operation.get("security", [{}]):
        yield "Unauthenticated"
        if is_about_one or "requestBody" in operation:
            yield "NotFound"
    if any(p["name"] == "Idempotency-Key" for p in parameters):
        yield "Conflict"
        yield "Refused"


def _answer(description: str, example: Mapping[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{_PROBLEM}"}}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {MEDIA_TYPE: content}}


def _instance(status: int, code: str, title: str, detail: str) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": _REQUEST_ID,
    }
    if code == "invalid":
        problem["field_errors"] = {"amount": [detail]}
    return problem
