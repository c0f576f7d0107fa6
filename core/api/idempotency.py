"""The Idempotency-Key of a request, and replaying the answer that the first one got."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response
from rest_framework.views import APIView

from core import idempotency
from core.auth import Principal
from core.errors import Invalid

REPLAYABLE_BELOW = 500
HEADER = "Idempotency-Key"


class IdempotentView(APIView):
    """
    A view whose POST has one effect per key.

    `operation` names what the key is for. `key_required` is false on the reference's routes only,
    where the guard against the same content within a minute stands alone.
    """

    operation: ClassVar[str]
    key_required: ClassVar[bool] = True

    def idempotency(
        self, request: HttpRequest, *, content: Mapping[str, Any], principal: Principal
    ) -> idempotency.Request:
        """
        Say what makes this request the same as another, for the service to claim.

        A key belongs to the customer whose data is meant, whichever credential names them: a
        retry with a rotated key, or by another way in, is still a retry.

        :param content: the validated body; `allow_duplicate` in it lifts the content guard. Ids
            that have two spellings stay out of it: the service adds the rows they name.
        :raises Invalid: the key is missing where it is required, or is too long.
        """
        meaning = {name: value for name, value in content.items() if name != "allow_duplicate"}
        claim = idempotency.Request(
            principal=f"customer:{principal.user_id}" if principal.user_id else principal.name,
            operation=self.operation,
            key=self._key_of(request),
            fingerprint=idempotency.fingerprint_of(meaning),
            allows_duplicate=bool(content.get("allow_duplicate", False)),
        )
        self._claim = claim
        return claim

    def _key_of(self, request: HttpRequest) -> str | None:
        key = request.headers.get(HEADER, "").strip()
        if not key:
            if self.key_required:
                rule = "Send an Idempotency-Key header: any unique text, kept for your retries."
                raise Invalid(rule, field_errors={HEADER: [rule]})
            return None
        if len(key) > idempotency.MAX_KEY_LENGTH or not key.isprintable():
            rule = f"Use at most {idempotency.MAX_KEY_LENGTH} printable characters."
            raise Invalid(rule, field_errors={HEADER: [rule]})
        return key

    def handle_exception(self, exc: Exception) -> Response:
        """Turn a replay into the stored answer, byte for byte; leave errors to the handler."""
        if isinstance(exc, idempotency.Replay):
            is_problem = exc.response_status >= HTTPStatus.BAD_REQUEST
            kind = "application/problem+json" if is_problem else "application/json"
            replay = HttpResponse(exc.body, status=exc.response_status, content_type=kind)
            replay["Idempotent-Replayed"] = "true"
            return replay  # type: ignore[return-value]  # DRF passes plain responses through
        return super().handle_exception(exc)

    def finalize_response(
        self, request: HttpRequest, response: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Keep the rendered answer with the claim, so that a repeat gets the same bytes."""
        response = super().finalize_response(request, response, *args, **kwargs)
        claim: idempotency.Request | None = getattr(self, "_claim", None)
        if claim is not None and isinstance(response, Response):
            response.add_post_render_callback(lambda rendered: _store(claim, rendered))
        return response


def _store(claim: idempotency.Request, rendered: Any) -> None:
    if rendered.status_code < REPLAYABLE_BELOW and claim.row_id is not None:
        idempotency.store_response(
            claim, status=rendered.status_code, body=rendered.content.decode()
        )
