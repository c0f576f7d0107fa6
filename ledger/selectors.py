"""Questions about cash; each says whose it is asking for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.errors import Invalid
from ledger.models import Entry, books_of
from ledger.states import EntryKind

NEW_YORK: Final = ZoneInfo("America/New_York")


@dataclass(frozen=True, kw_only=True)
class Cash:
    """
    An account's cash in dollars: all of it, what is held back, and what is free to be spent.

    `as_of` is when it last agreed with the broker's books. Until `is_complete` some of the past
    may be missing, and nothing may be refused for want of cash.
    """

    total: Decimal
    held: Decimal
    available: Decimal
    as_of: datetime | None
    is_complete: bool


def cash_of(*, account_id: UUID) -> Cash:
    """Add up an account's cash; the caller is acting as somebody who may see it."""
    with connection.cursor() as cursor:
        cursor.execute(CASH, {"account_id": account_id})
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - whoever has no entries has no cash
    available, held, as_of, is_complete = row
    return Cash(
        total=available + held,
        held=held,
        available=available,
        as_of=as_of,
        is_complete=is_complete,
    )


# In one statement, and so of one moment: what was written down since the last closing is all that
# it does not contain. Every order waits for it, so it may ride in the statement that reads what
# else an order is judged by: one row for %(account_id)s, whether or not there are entries.
CASH: Final = """
    SELECT coalesce(book.closed_available, 0.00)
           + coalesce(sum(amount) FILTER (WHERE debit = 'AVAILABLE'), 0.00)
           - coalesce(sum(amount) FILTER (WHERE credit = 'AVAILABLE'), 0.00) AS available,
           coalesce(book.closed_held, 0.00)
           + coalesce(sum(amount) FILTER (WHERE debit = 'HELD'), 0.00)
           - coalesce(sum(amount) FILTER (WHERE credit = 'HELD'), 0.00) AS held,
           book.agreed_at,
           book.opened_at IS NOT NULL AS is_complete
      FROM (SELECT %(account_id)s::uuid AS account_id) asked
      LEFT JOIN ledger_ledgerbook book ON book.account_id = asked.account_id
      LEFT JOIN ledger_entry entry
             ON entry.account_id = asked.account_id
            AND entry.recorded_at >= coalesce(book.closed_until, '-infinity')
     GROUP BY book.account_id
"""


def held_for(*, reference: UUID) -> Decimal:
    """Say how many dollars are still held back for a transfer or an order, named by our id."""
    kinds = [EntryKind.HOLD, EntryKind.RELEASE]
    return Entry.objects.filter(reference=reference, kind__in=kinds).held()


def get_cash(*, principal: Principal, account_id: str | UUID) -> Cash:
    """
    Return the cash of one account of the principal.

    :raises NotFound: there is none, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        return cash_of(account_id=account.pk)


@dataclass(frozen=True)
class Flow:
    """Money that came from outside the account (above zero) or left it."""

    at: datetime
    amount: Decimal

    @property
    def day(self) -> date:
        """The day in New York, by which returns are computed."""
        return self.at.astimezone(NEW_YORK).date()


@dataclass(frozen=True)
class EntryPage:
    """Some entries, the newest first; `before` continues with older ones."""

    entries: Sequence[Entry]
    before: UUID | None


def list_entries(
    *,
    principal: Principal,
    account_id: str | UUID,
    limit: int,
    before: UUID | None = None,
    kinds: Collection[EntryKind] = (),
) -> EntryPage:
    """
    List what has moved an account's cash, or the entries of certain kinds, the newest first.

    :raises NotFound: there is no such account of the principal.
    :raises Invalid: `before` names none of its entries.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        entries = books_of(account.pk)
        wanted = entries.filter(kind__in=sorted(kinds)) if kinds else entries.moving_cash()
        if before is not None:
            last = entries.filter(pk=before).values_list("occurred_at", flat=True).first()
            if last is None:
                rule = "Give the `next` of the page before."
                raise Invalid(rule, field_errors={"before": [rule]})
            wanted = wanted.filter(Q(occurred_at__lt=last) | Q(occurred_at=last, pk__lt=before))
        found = list(wanted.order_by("-occurred_at", "-pk")[: limit + 1])
    page = found[:limit]
    return EntryPage(entries=page, before=page[-1].pk if len(found) > limit else None)


def list_flows(
    *, account_id: UUID, since: datetime | None = None, until: datetime | None = None
) -> list[Flow]:
    """
    List the external cash flows of an account after `since` up to `until`, the oldest first.

    The caller is acting as somebody who may see them. Returns are computed from these.
    """
    flows = books_of(account_id).outside()
    if since is not None:
        flows = flows.filter(occurred_at__gt=since)
    if until is not None:
        flows = flows.filter(occurred_at__lte=until)
    return [
        Flow(flow.occurred_at, flow.cash_effect) for flow in flows.order_by("occurred_at", "pk")
    ]


def put_in(*, account_id: UUID) -> Decimal:
    """
    Add up what came into an account from outside, less what left it.

    The caller is acting as somebody who may see it.
    """
    return books_of(account_id).put_in()
