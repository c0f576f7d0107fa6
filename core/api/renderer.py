"""Writes answers as JSON in which every Decimal keeps its exact text."""

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

from core import exact_json


class ExactJSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8 by definition

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> bytes:
        """Write the data, or nothing at all for an answer without a body."""
        return b"" if data is None else exact_json.dumps(data).encode()
