"""Telling the owner of an account what happens to it, in a sequence without gaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from core import exact_json, realtime
from core.errors import NotFound

# Names accounts that have something new, with how far their sequences have come.
CHANNEL: Final = "clera:account-events"
# A message must fit into a socket's buffer, however many wait behind it.
LARGEST_PAYLOAD: Final = 8 * 1024

# Whoever adds to a feed holds its row until the commit, so that numbers have no gaps and become
# visible in their order. Rows are taken in the order of accounts, lest two batches wait for each
# other. What is told of an account that is not this user's finds no feed, and is not written.
_PUSH: Final = """
    WITH told AS (
        SELECT *, count(*) OVER whose AS events, row_number() OVER (whose ORDER BY position) AS nth
          FROM unnest(%(accounts)s::uuid[], %(users)s::text[], %(kinds)s::text[],
                      %(payloads)s::jsonb[])
               WITH ORDINALITY AS told (account_id, user_id, kind, payload, position)
        WINDOW whose AS (PARTITION BY account_id, user_id)
    ), head AS (
        INSERT INTO accounts_accountfeed AS feed (account_id, user_id, last_seq)
        SELECT told.account_id, told.user_id, told.events
          FROM told
          LEFT JOIN accounts_brokerageaccount AS account
            ON account.id = told.account_id AND account.user_id = told.user_id
         GROUP BY told.account_id, told.user_id, told.events
        HAVING count(account.id) > 0
         ORDER BY told.account_id
        ON CONFLICT (account_id) DO UPDATE SET last_seq = feed.last_seq + EXCLUDED.last_seq
        RETURNING account_id, user_id, last_seq
    )
    INSERT INTO accounts_accountevent (account_id, user_id, seq, kind, payload)
    SELECT account_id, user_id, head.last_seq - told.events + told.nth, told.kind, told.payload
      FROM told
      JOIN head USING (account_id, user_id)
    RETURNING account_id, seq
"""


@dataclass(frozen=True)
class News:
    """Something that happened to an account: ids, states and words, never personal data."""

    account_id: UUID
    user_id: str
    kind: str
    payload: Mapping[str, Any]


def push(*, account_id: UUID, user_id: str, kind: str, payload: Mapping[str, Any]) -> int:
    """
    Add an event to an account's feed in the caller's transaction, and return its number.

    Sockets hear of it after the commit. The payload holds ids, states and words for the customer,
    never personal data.

    :raises NotFound: the caller sees no such account of this user.
    """
    return push_all([News(account_id, user_id, kind, payload)])[account_id]


def push_all(news: Sequence[News]) -> dict[UUID, int]:
    """
    Add events to feeds in one statement, and return how far each sequence has come; see `push`.

    :raises NotFound: the caller does not see one of the accounts.
    """
    if not news:
        return {}
    values: dict[str, Any] = {
        "accounts": [each.account_id for each in news],
        "users": [each.user_id for each in news],
        "kinds": [each.kind for each in news],
        "payloads": [_text_of(each.payload) for each in news],
    }
    with connection.cursor() as cursor:
        cursor.execute(_PUSH, values)
        numbered: list[tuple[UUID, int]] = cursor.fetchall()
    if len(numbered) != len(news):
        raise NotFound("There is no such account.")
    last: dict[UUID, int] = {}
    for account_id, seq in numbered:
        last[account_id] = max(seq, last.get(account_id, 0))
    transaction.on_commit(lambda: _tell(last))
    return last


def _tell(last: Mapping[UUID, int]) -> None:
    realtime.tell(CHANNEL, accounts={str(account_id): seq for account_id, seq in last.items()})


def _text_of(payload: Mapping[str, Any]) -> str:
    text = exact_json.dumps(payload)
    if len(text.encode()) > LARGEST_PAYLOAD:
        raise ValueError("The payload of an event is too long for a message.")
    return text
