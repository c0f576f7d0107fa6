"""Reads request bodies: small, shallow, unambiguous JSON objects and nothing else."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from core import exact_json
from core.errors import CleraError


class BodyTooLarge(CleraError):
    code = "body_too_large"
    status = 413
    detail = "The body is larger than this service accepts."


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    @property
    def limit(self) -> int:
        """Say how many bytes a body may have."""
        return int(settings.API_MAX_BODY_BYTES)

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """
        Read one JSON object.

        :raises BodyTooLarge: more than the limit.
        :raises ParseError: not an object, or not JSON as `core.exact_json` accepts it.
        """
        data = stream.read(self.limit + 1)
        if len(data) > self.limit:
            raise BodyTooLarge
        try:
            value = exact_json.loads(data, max_structure=settings.API_MAX_BODY_BYTES)
        except exact_json.NotStrictJson as error:
            raise ParseError(str(error)) from None
        if not isinstance(value, dict):
            raise ParseError("The body must be a JSON object.")
        return value


class UploadParser(StrictJSONParser):
    """For the routes of `API_UPLOAD_PATHS`, whose bodies hold a file in base64."""

    @property
    def limit(self) -> int:
        return int(settings.API_MAX_UPLOAD_BYTES)
