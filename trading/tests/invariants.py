"""What is true of orders and the cash ledger at all times, asked of the tables themselves."""

from django.db import connection

from core.auth import SYSTEM, acting_as

_BROKEN = {
    "money is held for an order that is over": """
        SELECT book.id FROM trading_order book
          JOIN ledger_entry entry ON entry.reference = book.id
         WHERE entry.kind IN ('HOLD', 'RELEASE')
           AND book.posted_quantity >= book.filled_quantity
           AND (book.state IN ('REJECTED', 'CANCELED') OR (book.state = 'ACCEPTED' AND
                book.vendor_status IN ('filled', 'canceled', 'expired', 'rejected', 'replaced')))
         GROUP BY book.id
        HAVING sum(CASE entry.debit WHEN 'HELD' THEN amount ELSE -amount END) <> 0
    """,
    "money is held for a sale": """
        SELECT book.id FROM trading_order book JOIN ledger_entry entry ON entry.reference = book.id
         WHERE book.side = 'SELL' AND entry.kind = 'HOLD'
    """,
    "the ledger was told of more than was filled": """
        SELECT id FROM trading_order WHERE posted_quantity > filled_quantity
    """,
    "the ledger was not told of a fill": """
        SELECT fill.id FROM trading_execution fill
          JOIN trading_order book ON book.id = fill.order_id
         WHERE NOT fill.is_busted AND fill.quantity * fill.price > 0.005
           AND NOT EXISTS (SELECT FROM ledger_witness witness
                            WHERE witness.kind = 'EXECUTION'
                              AND (witness.external_id = fill.execution_id OR witness.external_id
                                   LIKE 'read:fill:' || book.broker_order_id || ':%'))
    """,
    "the ledger still has a fill that was taken back": """
        SELECT fill.id FROM trading_execution fill
          JOIN ledger_witness witness ON witness.external_id = fill.execution_id
         WHERE fill.is_busted AND witness.kind = 'EXECUTION'
           AND NOT EXISTS (SELECT FROM ledger_entry back WHERE back.reverses_id = witness.entry_id)
    """,
}


def check() -> None:
    """Assert all of it."""
    with acting_as(SYSTEM), connection.cursor() as sql:
        for what, query in _BROKEN.items():
            sql.execute(query)
            found = sql.fetchall()
            assert not found, f"{what}: {found[:5]}"
