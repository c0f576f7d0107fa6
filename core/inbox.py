"""What vendors tell us, kept once each before anything is done about it."""

from collections.abc import Callable, Mapping
from typing import Any

import simplejson
import structlog
from django.db import connection, models, transaction

from core.clock import Now
from core.errors import CleraError

logger = structlog.get_logger()
MAX_ATTEMPTS = 5


class NotYet(CleraError):
    """What the event is about is still being recorded; it stays in the inbox, and no try counts."""

    code = "not_yet"
    status = 503
    detail = "The event is about something that is not recorded yet."


class InboxEvent(models.Model):
    """One event of one source; `external_id` is the vendor's own name for it."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=64)
    external_id = models.CharField(max_length=255)
    payload = models.JSONField()
    received_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        app_label = "core"
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="core_inbox_once")
        ]
        indexes = [
            models.Index(
                fields=["source", "id"],
                condition=models.Q(applied_at__isnull=True),
                name="core_inbox_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.external_id}"


class StreamCursor(models.Model):
    """How far a source has been read and kept."""

    source = models.CharField(max_length=64, primary_key=True)
    position = models.CharField(max_length=64)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "core"

    def __str__(self) -> str:
        return f"{self.source} @ {self.position}"


def receive(
    source: str, external_id: str, payload: Mapping[str, Any], *, cursor: str | None = None
) -> bool:
    """
    Keep an event and, in the same transaction, how far the source has been read.

    Returns false for one that is already kept. A cursor never moves back.
    """
    with transaction.atomic():
        with connection.cursor() as sql:
            sql.execute(
                "INSERT INTO core_inboxevent (source, external_id, payload, attempts, error)"
                " VALUES (%s, %s, %s, 0, '') ON CONFLICT (source, external_id) DO NOTHING",
                [source, external_id, simplejson.dumps(dict(payload))],
            )
            is_new = bool(sql.rowcount == 1)
        if cursor is not None:
            _advance(source, cursor)
    return is_new


def _advance(source: str, position: str) -> None:
    cursor, is_new = StreamCursor.objects.select_for_update().get_or_create(
        source=source, defaults={"position": position}
    )
    if not is_new and position > cursor.position:
        cursor.position = position
        cursor.updated_at = Now()
        cursor.save(update_fields=["position", "updated_at"])


def position_of(source: str) -> str | None:
    """Say how far the source has been read, or nothing at the first start."""
    return StreamCursor.objects.filter(source=source).values_list("position", flat=True).first()


def apply_waiting(source: str, handler: Callable[[Mapping[str, Any]], None]) -> int:
    """
    Hand every kept, unapplied event of the source to `handler`, oldest first.

    Each runs in a transaction with its own mark of having been applied. One that fails
    `MAX_ATTEMPTS` times is parked with its error and alarmed; the others flow on. A handler
    raises `NotYet` to see the event again without counting a failure.
    """
    applied = 0
    waiting = InboxEvent.objects.filter(
        source=source, applied_at__isnull=True, attempts__lt=MAX_ATTEMPTS
    )
    for event_id in list(waiting.order_by("id").values_list("id", flat=True)[:1000]):
        applied += _apply(event_id, handler)
    return applied


def _apply(event_id: int, handler: Callable[[Mapping[str, Any]], None]) -> bool:
    try:
        with transaction.atomic():
            rows = InboxEvent.objects.select_for_update(skip_locked=True)
            event = rows.filter(pk=event_id, applied_at__isnull=True).first()
            if event is None:
                return False
            handler(event.payload)
            InboxEvent.objects.filter(pk=event_id).update(applied_at=Now())
            return True
    except NotYet:
        return False
    except Exception as error:
        name = error.code if isinstance(error, CleraError) else type(error).__name__
        logger.exception("inbox.event_failed", inbox_id=event_id, error=name)
        _park(event_id, name)
        return False


def _park(event_id: int, name: str) -> None:
    """Count the failure; after `MAX_ATTEMPTS` the event waits for a person."""
    InboxEvent.objects.filter(pk=event_id).update(
        attempts=models.F("attempts") + 1, error=name[:200]
    )
