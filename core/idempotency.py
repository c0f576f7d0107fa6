"""One effect per key, whatever a client repeats: the key's row is claimed with the intent."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, models

from core.clock import Now
from core.errors import CleraError
from core.ids import new_id

MAX_KEY_LENGTH = 255
# A request makes two vendor calls at most, each with its deadline; this much is for all the rest.
_SLACK_SECONDS = 4


class InProgress(CleraError):
    code = "in_progress"
    status = 409
    detail = "The first request with this Idempotency-Key is still being worked on."


class KeyReused(CleraError):
    code = "idempotency_key_reused"
    status = 422
    detail = "This Idempotency-Key was used with another body; use a new key for a new request."


class PossibleDuplicate(CleraError):
    code = "possible_duplicate"
    status = 409
    detail = (
        "The same request was made a moment ago. Send `allow_duplicate: true` if you mean it twice."
    )


class Replay(CleraError):
    """Not a failure: carries the stored response of the first request."""

    code = "replay"
    status = 200

    def __init__(self, *, response_status: int, body: str) -> None:
        super().__init__("Replayed.")
        self.response_status = response_status
        self.body = body


class IdempotencyRow(models.Model):
    """One key of one principal for one operation, what it led to and what was answered."""

    id = models.UUIDField(primary_key=True, default=new_id)
    principal = models.CharField(max_length=600)
    operation = models.CharField(max_length=64)
    key = models.CharField(max_length=MAX_KEY_LENGTH)
    fingerprint = models.CharField(max_length=64)
    resource_id = models.UUIDField(null=True)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(null=True)  # noqa: DJ001 - null says "not answered yet"
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "core"
        constraints = [
            models.UniqueConstraint(
                fields=["principal", "operation", "key"], name="core_idempotency_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["principal", "operation", "fingerprint", "-created_at"],
                name="core_idempotency_content",
            )
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"


@dataclass
class Request:
    """
    What makes two requests the same.

    `key` is the client's Idempotency-Key, or nothing on reference routes; then only the guard
    against the same content within `DUPLICATE_GUARD_SECONDS` applies, as it does with a key.
    """

    principal: str
    operation: str
    key: str | None
    fingerprint: str
    allows_duplicate: bool = False
    row_id: UUID | None = field(default=None)

    def concerns(self, *rows: UUID) -> None:
        """
        Add the rows that the request is about to what makes it the same as another.

        A body may name a row by our id or by the vendor's, so the words it uses do not count.
        """
        self.fingerprint = fingerprint_of([self.fingerprint, *rows])


def fingerprint_of(content: Any) -> str:
    """Hash the meaning of a body: key order and white space do not count."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def claim(request: Request | None, *, resource_id: UUID, is_alone: bool = False) -> UUID:
    """
    Claim the key for a new resource inside the caller's transaction.

    What nobody has requested, such as what we do by ourselves, has no twin and claims nothing.

    Returns the id to work with: `resource_id` when the claim is new, or the earlier one when the
    first request died before it could answer, so that the caller shows that resource instead.

    :param is_alone: the caller holds a lock that every request with this content takes first, so
        that they pass one at a time already.
    :raises Replay: the first request was answered; here is its answer.
    :raises InProgress: it is still being worked on.
    :raises KeyReused: the key stands for another body.
    :raises PossibleDuplicate: the same content came a moment ago under another key.
    """
    if request is None:
        return resource_id
    with connection.cursor() as cursor:
        if not is_alone:
            _serialise(cursor, request)
        row_id = new_id()
        cursor.execute(_INSERT, _values(request, row_id, resource_id))
        written = cursor.fetchone()
    if written is None:
        return _meet_earlier(request)
    if written[0] is not None:
        raise PossibleDuplicate(extra={"resource_id": str(written[0])})
    request.row_id = row_id
    return resource_id


# With the claim comes its twin: what was asked for a moment ago, unless that was refused, since
# then nothing came of it. The statement sees what was committed before it began, and so every
# twin, because requests with the same content pass one at a time.
_INSERT = """
    INSERT INTO core_idempotencyrow
           (id, principal, operation, key, fingerprint, resource_id, created_at)
    VALUES (%(id)s, %(principal)s, %(operation)s, %(key)s, %(fingerprint)s, %(resource)s,
            clera_now())
    ON CONFLICT (principal, operation, key) DO NOTHING
    RETURNING (SELECT twin.resource_id
                 FROM core_idempotencyrow twin
                WHERE %(minds_twins)s AND twin.principal = %(principal)s
                  AND twin.operation = %(operation)s AND twin.fingerprint = %(fingerprint)s
                  AND (twin.response_status IS NULL OR twin.response_status < 400)
                  AND twin.created_at > clera_now() - %(guard)s * interval '1 second'
                LIMIT 1)
"""


def _values(request: Request, row_id: UUID, resource_id: UUID) -> dict[str, Any]:
    return {
        "id": row_id,
        "principal": request.principal,
        "operation": request.operation,
        "key": request.key or f"none:{row_id}",
        "fingerprint": request.fingerprint,
        "resource": resource_id,
        "minds_twins": not request.allows_duplicate,
        "guard": settings.DUPLICATE_GUARD_SECONDS,
    }


def _serialise(cursor: Any, request: Request) -> None:
    """Let requests with the same content pass one at a time, so that the guard sees them all."""
    words = f"{request.principal}|{request.operation}|{request.fingerprint}"
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [words])


def _meet_earlier(request: Request) -> UUID:
    row = IdempotencyRow.objects.annotate(now=Now()).get(
        principal=request.principal, operation=request.operation, key=request.key
    )
    if row.fingerprint != request.fingerprint:
        raise KeyReused
    if row.response_status is not None:
        raise Replay(response_status=row.response_status, body=row.response_body or "")
    if (row.now - row.created_at).total_seconds() < in_progress_seconds():
        raise InProgress(retry_after_seconds=1)
    request.row_id = row.id
    assert row.resource_id is not None  # noqa: S101 - every claim writes it
    return row.resource_id


def in_progress_seconds() -> float:
    """Say how old a claim without an answer is when the process behind it must have died."""
    return float(2 * settings.VENDOR_TOTAL_SECONDS + _SLACK_SECONDS)


def store_response(request: Request, *, status: int, body: str) -> None:
    """Keep the answer for replays; a claim that was rolled back has no row and keeps nothing."""
    if request.row_id is not None:
        IdempotencyRow.objects.filter(pk=request.row_id).update(
            response_status=status, response_body=body
        )
