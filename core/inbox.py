"""What vendors tell us, kept once each before anything is done about it."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import simplejson
import structlog
from django.db import connection, models, transaction

from core import streams
from core.clock import Now
from core.errors import CleraError

logger = structlog.get_logger()
MAX_ATTEMPTS: Final = 5
# After each failure the pause is twice as long.
FIRST_PAUSE: Final = timedelta(seconds=1)
# How many events one transaction applies; it holds the locks of all their accounts.
BATCH: Final = 100
# An event that must wait is put off for as long as it has waited already, within these bounds.
SHORTEST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=1)
# Nothing takes that long to be recorded.
PATIENCE: Final = timedelta(days=1)

Payload = Mapping[str, Any]


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
    due_at = models.DateTimeField(db_default=Now(), help_text="When it is tried next.")
    waits_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it has been too early for it."
    )

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
            ),
            models.Index(
                fields=["source", "id"],
                condition=models.Q(applied_at__isnull=True, waits_since__isnull=False),
                name="core_inbox_put_off",
            ),
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


# Keeping

_ADVANCE: Final = """
    INSERT INTO core_streamcursor AS kept (source, position) VALUES (%s, %s)
    ON CONFLICT (source) DO UPDATE SET position = EXCLUDED.position, updated_at = clera_now()
     WHERE kept.position COLLATE "C" < EXCLUDED.position COLLATE "C"
"""
_KEEP: Final = """
    INSERT INTO core_inboxevent (source, external_id, payload, attempts, error)
    SELECT %s, event ->> 0, event -> 1, 0, ''
      FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS told (event, place)
     ORDER BY place
    ON CONFLICT (source, external_id) DO NOTHING
"""


def receive(source: str, external_id: str, payload: Payload, *, cursor: str | None = None) -> bool:
    """Keep one event as `receive_all` does; false for one that is already kept."""
    return receive_all(source, [(external_id, payload)], cursor=cursor) == 1


def receive_all(
    source: str, events: Sequence[tuple[str, Payload]], *, cursor: str | None = None
) -> int:
    """
    Keep events in their order and, in the same transaction, how far the source has been read.

    Returns how many of them are new. A cursor never moves back.
    """
    told = simplejson.dumps([[external_id, dict(payload)] for external_id, payload in events])
    with transaction.atomic(), connection.cursor() as sql:
        if cursor is not None:
            # First, for its lock: whoever else reads this source keeps nothing in between, so
            # that the order of ids is the order in which events become visible.
            sql.execute(_ADVANCE, [source, cursor])
        sql.execute(_KEEP, [source, told])
        return int(sql.rowcount)


def position_of(source: str) -> str | None:
    """Say how far the source has been read, or nothing at the first start."""
    return StreamCursor.objects.filter(source=source).values_list("position", flat=True).first()


# Applying

# The source is said as a range so that only the index of what waits has this order: by the primary
# key, the planner may choose to walk past everything that was ever applied.
_DUE: Final = """
    SELECT id, payload, attempts FROM core_inboxevent
     WHERE source BETWEEN %(source)s AND %(source)s
       AND applied_at IS NULL AND attempts < %(parked)s AND due_at <= (SELECT clera_now())
       AND (due_at > received_at + interval '0.5 seconds') = %(was_put_off)s
     ORDER BY source, id LIMIT %(most)s
"""
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('core.inbox.' || %s, 0))"
_MARK: Final = """
    UPDATE core_inboxevent SET applied_at = clera_now() WHERE id = ANY(%s) AND applied_at IS NULL
"""
_PUT_OFF: Final = """
    UPDATE core_inboxevent
       SET waits_since = coalesce(waits_since, clera_now()),
           due_at = clera_now() + least(
               greatest(clera_now() - coalesce(waits_since, clera_now()), %(shortest)s),
               %(longest)s
           ),
           attempts = CASE WHEN waits_since < clera_now() - %(patience)s
                           THEN %(parked)s ELSE attempts END,
           error = CASE WHEN waits_since < clera_now() - %(patience)s
                        THEN %(error)s ELSE error END
     WHERE id = ANY(%(ids)s) AND applied_at IS NULL
 RETURNING id, attempts
"""
_COUNT: Final = """
    UPDATE core_inboxevent
       SET attempts = attempts + 1, error = %(error)s,
           due_at = clera_now() + 2 ^ attempts * %(pause)s::interval
     WHERE id = %(id)s AND applied_at IS NULL AND attempts = %(attempts)s
 RETURNING id, attempts
"""
_WAKE: Final = """
    UPDATE core_inboxevent SET due_at = received_at WHERE id IN (
        SELECT id FROM core_inboxevent
         WHERE source = %s AND applied_at IS NULL AND waits_since IS NOT NULL
           AND due_at > (SELECT clera_now())
         ORDER BY id FOR UPDATE
    )
"""


def apply_waiting(source: str, handler: Callable[[Payload], None]) -> int:
    """
    Hand every kept event that is due to `handler`, oldest first, and say how many were applied.

    Each runs in a transaction with its own mark of having been applied. One that fails
    `MAX_ATTEMPTS` times, each after a longer pause, is parked with its error and alarmed; the
    others flow on. A handler raises `NotYet` to see the event again without counting a failure:
    after as long as it has waited already, up to a minute, and for a day at most.

    One process at a time applies the events of a source, so that they keep their order. The
    others return at once: whoever is at it looks again before it ends.
    """

    def apply_one(payloads: Sequence[Payload]) -> Collection[int]:
        handler(payloads[0])
        return ()

    return _Pass(source, apply_one).run(at_once=1)


def apply_together(source: str, handler: Callable[[Sequence[Payload]], Collection[int]]) -> int:
    """
    Do what `apply_waiting` does with up to `BATCH` events in one transaction.

    `handler` gets them in their order and returns the places of those that must wait, having
    done nothing about them. It locks all the rows it needs in one query, in the order of their
    keys, before it writes any. When it fails nothing of the batch has happened, and its halves
    are tried by themselves, down to the one event that is to blame.
    """
    return _Pass(source, handler).run(at_once=BATCH)


def wake(source: str) -> None:
    """
    Make every event that was put off due now: what it waits for has just been recorded.

    Belongs in the transaction that records it. An event that is being put off at this very
    moment is not seen, and is tried again a second later.
    """
    with connection.cursor() as sql:
        sql.execute(_WAKE, [source])


class _SomebodyElse(Exception):
    """Another process applies the events of this source."""


class _Overtaken(Exception):
    """Another process has applied some of these events since we looked."""


@dataclass(frozen=True)
class _Kept:
    id: int
    payload: Payload
    attempts: int


class _Pass:
    """One run over what is due."""

    def __init__(
        self, source: str, handler: Callable[[Sequence[Payload]], Collection[int]]
    ) -> None:
        self._source = source
        self._handler = handler
        self._applied = 0

    def run(self, *, at_once: int) -> int:
        """
        Apply until nothing is due, somebody else is at it, or the worker stops.

        Looking takes no lock: what is kept while we hold it, and turn others away, is found by
        our next look.
        """
        while not streams.is_stopping() and (due := self._look()):
            try:
                for start in range(0, len(due), at_once):
                    self._apply(due[start : start + at_once])
            except _SomebodyElse:
                break
            except _Overtaken:
                continue
        return self._applied

    def _look(self) -> list[_Kept]:
        """
        Find the next events: first those that were never put off, or were woken since.

        However many must be tried again, they cannot keep the others waiting.
        """
        for was_put_off in (False, True):
            values: dict[str, Any] = {
                "source": self._source,
                "parked": MAX_ATTEMPTS,
                "was_put_off": was_put_off,
                "most": BATCH,
            }
            with connection.cursor() as sql:
                sql.execute(_DUE, values)
                found = sql.fetchall()
            if found:
                return [_Kept(event_id, json.loads(text), tries) for event_id, text, tries in found]
        return []

    def _apply(self, batch: Sequence[_Kept]) -> None:
        """Apply a batch in one transaction, else its halves in two."""
        if self._try(batch) or len(batch) == 1:
            return
        middle = len(batch) // 2
        self._apply(batch[:middle])
        self._apply(batch[middle:])

    def _try(self, batch: Sequence[_Kept]) -> bool:
        try:
            with transaction.atomic():
                self._lock()
                early = set(self._handler([event.payload for event in batch]))
                _mark([event.id for place, event in enumerate(batch) if place not in early])
                _put_off([batch[place].id for place in early])
        except (_SomebodyElse, _Overtaken):
            raise
        except NotYet:
            if len(batch) == 1:
                _put_off([batch[0].id])
            return False
        except Exception as error:
            name = error.code if isinstance(error, CleraError) else type(error).__name__
            if len(batch) == 1:
                logger.exception("inbox.event_failed", inbox_id=batch[0].id, error=name)
                _count_failure(batch[0], name)
            else:
                logger.warning("inbox.batch_failed", source=self._source, error=name)
            return False
        self._applied += len(batch) - len(early)
        return True

    def _lock(self) -> None:
        """Let one process at a time apply; the lock ends with the transaction."""
        with connection.cursor() as sql:
            sql.execute(_LOCK, [self._source])
            row = sql.fetchone()
        if not (row and row[0]):
            raise _SomebodyElse


def _mark(ids: list[int]) -> None:
    with connection.cursor() as sql:
        sql.execute(_MARK, [ids])
        if sql.rowcount != len(ids):
            raise _Overtaken


def _put_off(ids: list[int]) -> None:
    if not ids:
        return
    values: dict[str, Any] = {
        "ids": ids,
        "shortest": SHORTEST_WAIT,
        "longest": LONGEST_WAIT,
        "patience": PATIENCE,
        "parked": MAX_ATTEMPTS,
        "error": NotYet.code,
    }
    with connection.cursor() as sql:
        sql.execute(_PUT_OFF, values)
        _alarm_if_parked(sql.fetchall(), NotYet.code)


def _count_failure(event: _Kept, name: str) -> None:
    """
    Count it and try again later; after `MAX_ATTEMPTS` the event waits for a person.

    Two that have looked at the same time, and failed one after the other, count once.
    """
    values: dict[str, Any] = {
        "id": event.id,
        "attempts": event.attempts,
        "error": name[:200],
        "pause": FIRST_PAUSE,
    }
    with connection.cursor() as sql:
        sql.execute(_COUNT, values)
        _alarm_if_parked(sql.fetchall(), name)


def _alarm_if_parked(found: Sequence[tuple[int, int]], name: str) -> None:
    for event_id, attempts in found:
        if attempts >= MAX_ATTEMPTS:
            logger.error("inbox.event_parked", inbox_id=event_id, error=name)
