"""What is read of feeds: pages of events, exactly as sockets and REST tell them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from accounts import selectors
from core import exact_json
from core.auth import SYSTEM, Principal, acting_as

EVENT: Final = "event"
# Reading after this finds how far a feed has come, and no event.
NEWEST: Final = 2**62

# Numbers have no gaps, so that a page is a range of them. Each `LIMIT` keeps the planner from
# reading a whole table for a few hundred accounts.
_READ: Final = """
    WITH place AS MATERIALIZED (
        SELECT wanted.account_id, wanted.after, wanted.after + %(limit)s AS until,
               head.last_seq, head.oldest
          FROM unnest(%(accounts)s::uuid[], %(afters)s::bigint[]) AS wanted (account_id, after)
          LEFT JOIN LATERAL (
               SELECT feed.last_seq,
                      (SELECT seq FROM accounts_accountevent
                        WHERE account_id = wanted.account_id ORDER BY seq LIMIT 1) AS oldest
                 FROM accounts_accountfeed AS feed
                WHERE feed.account_id = wanted.account_id
                LIMIT 1
          ) AS head ON true
    )
    SELECT place.account_id, place.after, coalesce(place.last_seq, 0), place.oldest,
           event.seq, event.kind, event.at, event.payload
      FROM place
      LEFT JOIN LATERAL (
           SELECT seq, kind, at, payload FROM accounts_accountevent
            WHERE account_id = place.account_id AND seq > place.after AND seq <= place.until
            LIMIT %(limit)s
      ) AS event ON true
     ORDER BY place.account_id, place.after, event.seq
"""
_MOVED: Final = """
    SELECT known.account_id
      FROM unnest(%(accounts)s::uuid[], %(seqs)s::bigint[]) AS known (account_id, seq)
      JOIN LATERAL (
           SELECT last_seq FROM accounts_accountfeed WHERE account_id = known.account_id LIMIT 1
      ) AS feed ON feed.last_seq <> known.seq
"""


class Place(NamedTuple):
    """A place in an account's sequence: behind the event with this number."""

    account_id: UUID
    after: int


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as the JSON of its message."""

    seq: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """The events behind a place, with the numbers of the last and of the oldest there is."""

    last: int
    oldest: int | None
    events: Sequence[Event]

    def continues(self, after: int) -> bool:
        """Say whether nothing lacks between the place and this page, or within it."""
        expected = range(after + 1, after + 1 + len(self.events))
        is_whole = all(e.seq == seq for e, seq in zip(self.events, expected, strict=True))
        return is_whole and bool(self.events or after == self.last)


def read_pages(
    places: Collection[Place], *, limit: int, principal: Principal = SYSTEM
) -> dict[Place, Page]:
    """Read what lies behind places, of many accounts at once, as of one moment."""
    values: dict[str, Any] = {
        "accounts": [place.account_id for place in places],
        "afters": [place.after for place in places],
        "limit": limit,
    }
    with acting_as(principal), connection.cursor() as cursor:
        cursor.execute(_READ, values)
        rows = cursor.fetchall()
    return {
        Place(*place): _page(list(found)) for place, found in groupby(rows, lambda row: row[:2])
    }


def get_page(*, principal: Principal, account_id: str, after: int, limit: int) -> Page:
    """
    Read what lies behind a place in the feed of one account of the principal.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = selectors.get_account(principal=principal, account_id=account_id)
    place = Place(account.pk, after)
    return read_pages([place], limit=limit, principal=principal)[place]


def list_moved(known: Mapping[UUID, int], *, principal: Principal = SYSTEM) -> list[UUID]:
    """List the accounts whose sequences are no longer where they were known to be."""
    values: dict[str, Any] = {"accounts": list(known), "seqs": list(known.values())}
    with acting_as(principal), connection.cursor() as cursor:
        cursor.execute(_MOVED, values)
        return [account_id for (account_id,) in cursor.fetchall()]


def _page(rows: Sequence[tuple[Any, ...]]) -> Page:
    _, _, last, oldest, *_ = rows[0]
    return Page(last, oldest, tuple(_events(rows)))


def _events(rows: Iterable[tuple[Any, ...]]) -> Iterable[Event]:
    for *_, seq, kind, at, payload in rows:
        if seq is not None:  # an account without events behind the place has a row as well
            yield Event(seq, _text(seq, kind, at, payload))


def _text(seq: int, kind: str, at: datetime, payload: str) -> bytes:
    """Write the message; the payload is the JSON text that the database keeps."""
    time = at.isoformat().replace("+00:00", "Z")
    head = f'{{"type":"{EVENT}","seq":{seq},"kind":{exact_json.dumps(kind)},"at":"{time}",'
    return f'{head}"payload":{payload}}}'.encode()
