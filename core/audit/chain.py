"""The chain over the audit entries: adding links, and finding the first one that does not hold."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import connection

from core.audit.models import AuditLink, AuditPending
from core.auth import SYSTEM, acting_as

logger = structlog.get_logger()
GENESIS: Final = hashlib.sha256(b"clera audit chain").digest()
BATCH: Final = 2_000
# An entry without a link for longer was taken out of the queue, or nobody links any more.
LATE: Final = timedelta(minutes=5)
# What the trail calls itself in its own entries.
SUBJECT: Final = "chain"


@dataclass(frozen=True)
class Head:
    """The end of the chain; kept elsewhere, it shows when entries at the end have been removed."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True)
class Fault:
    """Where the trail is not what it was."""

    entry_id: int | None
    what: str


@dataclass(frozen=True)
class Finding:
    """What a verification found; without a fault the trail is whole up to `head`."""

    head: Head
    fault: Fault | None
    waiting: int


def link_hash(before: bytes, seq: int, entry_id: int, digest: bytes) -> bytes:
    """Hash one link: the one before, its own place, and the entry it stands for."""
    return hashlib.sha256(
        before + seq.to_bytes(8) + entry_id.to_bytes(8, signed=True) + digest
    ).digest()


def extend() -> int:
    """
    Link the entries that wait, unless another process is at it, and say how many there were.

    The database does it itself, in `clera_audit_extend`: no role of the product may add a link.
    """
    linked = 0
    while True:
        with acting_as(SYSTEM), connection.cursor() as cursor:
            cursor.execute("SELECT clera_audit_extend(%s)", [BATCH])
            row = cursor.fetchone()
        count = int(row[0]) if row else 0
        linked += count
        if count < BATCH:
            return linked


def _last_link() -> AuditLink | None:
    return AuditLink.objects.order_by("-seq").first()


def head() -> Head:
    """Return the end of the chain."""
    with acting_as(SYSTEM):
        last = _last_link()
    return Head(last.seq, bytes(last.hash).hex()) if last else Head(0, GENESIS.hex())


def anchor() -> Head:
    """
    Write the end of the chain into the log, which is kept apart from the database.

    Whoever removes entries from the end of the trail would have to remove them there too.
    """
    end = head()
    logger.info("audit.anchored", seq=end.seq, position=end.hash)
    return end


def verify(*, anchored: Head | None = None) -> Finding:
    """
    Recompute every digest and every link, the oldest first, and name the first that differs.

    :param anchored: a head that was kept elsewhere; the chain must still contain it.
    """
    seq, before = 0, GENESIS
    fault: Fault | None = None
    with acting_as(SYSTEM):
        for link, text, digest in _links():
            seq += 1
            fault = _fault_of(link, seq, before, text, digest)
            before = bytes(link.hash)
            if fault is None and anchored and (anchored.seq, anchored.hash) == (seq, before.hex()):
                anchored = None
            if fault is not None:
                break
        if fault is None and anchored is not None and anchored.seq > 0:
            fault = Fault(None, f"link {anchored.seq} is not the one that was anchored")
        fault = fault or _unlinked()
        waiting = AuditPending.objects.count()
    return Finding(Head(seq, before.hex()), fault, waiting)


_READ: Final = """
    SELECT l.seq, l.entry_id, l.hash, clera_audit_text(e), e.digest
      FROM core_auditlink l LEFT JOIN core_auditentry e ON e.id = l.entry_id
     WHERE l.seq > %s ORDER BY l.seq LIMIT %s
"""


def _links() -> Iterator[tuple[AuditLink, str | None, bytes]]:
    after = -1
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_READ, [after, BATCH])
            rows: list[Any] = cursor.fetchall()
        for seq, entry_id, link, text, digest in rows:
            yield (
                AuditLink(seq=seq, entry_id=entry_id, hash=bytes(link)),
                text,
                bytes(digest or b""),
            )
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


def _fault_of(
    link: AuditLink, seq: int, before: bytes, text: str | None, digest: bytes
) -> Fault | None:
    if link.seq != seq:
        return Fault(link.entry_id, f"links {seq} to {link.seq - 1} are missing")
    if text is None:
        return Fault(link.entry_id, "the entry is missing")
    if hashlib.sha256(text.encode()).digest() != digest:
        return Fault(link.entry_id, "the entry is not what was written")
    if link_hash(before, seq, link.entry_id, digest) != bytes(link.hash):
        return Fault(link.entry_id, f"link {seq} does not follow from the one before")
    return None


def _unlinked() -> Fault | None:
    """Find an old entry that no link stands for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id FROM core_auditentry e LEFT JOIN core_auditlink l ON l.entry_id = e.id"
            " WHERE l.entry_id IS NULL AND e.at < clera_now() - %s * interval '1 second'"
            " ORDER BY e.id LIMIT 1",
            [LATE.total_seconds()],
        )
        row = cursor.fetchone()
    return Fault(row[0], "the entry was never linked") if row else None
