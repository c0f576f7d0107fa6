"""What OpenAPI must know about us: credentials, problems, and the Idempotency-Key header."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from core.api.authentication import ACT_FOR_HEADER
from core.api.problems import MEDIA_TYPE

_PROBLEM = "Problem"

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


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "core.api.authentication.BearerToken"
    name = "bearerToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "core.api.authentication.ApiKeyHeader"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return {"type": "apiKey", "in": "header", "name": "X-API-Key"}


_PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "example": "about:blank"},
        "title": {"type": "string", "example": "Bad Request"},
        "status": {"type": "integer", "example": 400},
        "code": {"type": "string", "description": "Stable; decide by this."},
        "detail": {"type": "string", "description": "One sentence for people."},
        "field_errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "Rules by dotted path, such as `alpacaData.identity.tax_id`.",
        },
        "request_id": {"type": "string", "nullable": True},
    },
}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation the answer that any of them may have; a postprocessing hook."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas[_PROBLEM] = dict(_PROBLEM_SCHEMA)
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_PROBLEM}"}}}
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault(
                    "default", {"description": "A problem.", "content": content}
                )
    return result
