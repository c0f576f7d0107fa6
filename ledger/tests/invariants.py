"""What is true of the ledger at all times, asked of the tables themselves, past all policies."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from core.auth import SYSTEM, acting_as

_CASH = """
    coalesce(sum(amount) FILTER (WHERE debit = ANY(%(books)s)), 0)
  - coalesce(sum(amount) FILTER (WHERE credit = ANY(%(books)s)), 0)
"""
_BROKEN: dict[str, str] = {
    "an entry is not balanced": """
        SELECT id FROM ledger_entry WHERE debit = credit OR NOT amount > 0
    """,
    "less than nothing is held": f"""
        SELECT account_id FROM ledger_entry GROUP BY account_id HAVING {_CASH} < 0
    """,
    "more was freed than held back": f"""
        SELECT reference FROM ledger_entry WHERE kind IN ('HOLD', 'RELEASE')
         GROUP BY account_id, reference HAVING {_CASH} < 0
    """,
    "a hold or a release is about nothing": """
        SELECT id FROM ledger_entry WHERE kind IN ('HOLD', 'RELEASE') AND reference IS NULL
    """,
    "a witness is somebody else's than its entry": """
        SELECT witness.id FROM ledger_witness witness LEFT JOIN ledger_entry entry
            ON entry.id = witness.entry_id
         WHERE entry.user_id IS DISTINCT FROM witness.user_id
    """,
    "an entry is somebody else's than its account": """
        SELECT entry.id FROM ledger_entry entry JOIN accounts_brokerageaccount account
            ON account.id = entry.account_id
         WHERE entry.user_id <> account.user_id
    """,
    "nobody has told of an entry": """
        SELECT id FROM ledger_entry entry
         WHERE kind NOT IN ('HOLD', 'RELEASE') AND NOT EXISTS (
            SELECT FROM ledger_witness witness WHERE witness.entry_id = entry.id)
    """,
    "somebody has told of one movement twice": """
        SELECT entry_id FROM ledger_witness GROUP BY entry_id, kind HAVING count(*) > 1
    """,
    "a telling was written down twice": """
        SELECT external_id FROM ledger_witness GROUP BY kind, external_id HAVING count(*) > 1
    """,
    "two entries have one natural key": """
        SELECT natural_key FROM ledger_entry WHERE natural_key <> ''
         GROUP BY account_id, natural_key HAVING count(*) > 1
    """,
    "a reversal does not undo its entry": """
        SELECT back.id FROM ledger_entry back JOIN ledger_entry wrong ON wrong.id = back.reverses_id
         WHERE (back.account_id, back.debit, back.credit, back.amount)
            <> (wrong.account_id, wrong.credit, wrong.debit, wrong.amount)
    """,
    "a book was closed with another sum than that of its entries": """
        SELECT book.account_id FROM ledger_ledgerbook book
         WHERE book.closed_until IS NOT NULL
           AND (book.closed_available, book.closed_held) <> (
            SELECT coalesce(sum(amount) FILTER (WHERE debit = 'AVAILABLE'), 0)
                 - coalesce(sum(amount) FILTER (WHERE credit = 'AVAILABLE'), 0),
                   coalesce(sum(amount) FILTER (WHERE debit = 'HELD'), 0)
                 - coalesce(sum(amount) FILTER (WHERE credit = 'HELD'), 0)
              FROM ledger_entry entry
             WHERE entry.account_id = book.account_id AND entry.recorded_at < book.closed_until)
    """,
    "a difference was settled by one person": """
        SELECT id FROM ledger_drift
         WHERE state = 'RESOLVED' AND (resolved_by = '' OR resolved_by = proposed_by)
    """,
}


def check(*, broker_cash: Mapping[UUID, Decimal] | None = None) -> None:
    """Assert all of it, and for the accounts given that our cash is the broker's."""
    with acting_as(SYSTEM), connection.cursor() as sql:  # once: this runs after thousands of tests
        for what, query in _BROKEN.items():
            sql.execute(query, {"books": ["HELD"]})
            found = sql.fetchall()
            assert not found, f"{what}: {found[:5]}"
    for account_id, cash in (broker_cash or {}).items():
        ours = cash_of(account_id)
        assert ours == cash, f"account {account_id} has {ours} with us and {cash} at the broker"


def cash_of(account_id: UUID) -> Decimal:
    """Add an account's cash up in SQL, without any of the product's code."""
    query = f"SELECT {_CASH} FROM ledger_entry WHERE account_id = %(account)s"
    [[cash]] = _rows(query, books=["AVAILABLE", "HELD"], account=account_id)
    return Decimal(cash)


def open_holds() -> dict[UUID, Decimal]:
    """List by reference what is held back now."""
    query = f"""
        SELECT reference, {_CASH} FROM ledger_entry WHERE kind IN ('HOLD', 'RELEASE')
         GROUP BY reference HAVING {_CASH} <> 0
    """
    return dict(_rows(query, books=["HELD"]))


def _rows(query: str, **values: Any) -> list[tuple[Any, ...]]:
    with acting_as(SYSTEM), connection.cursor() as sql:
        sql.execute(query, values)
        return list(sql.fetchall())
