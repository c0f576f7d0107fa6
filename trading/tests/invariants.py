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
    # What people have not settled yet, or have explained, is noted as a difference.
    "lots do not add up to the position": """
        SELECT account_id, symbol, held.quantity, lots.quantity
          FROM (SELECT account_id, symbol, quantity FROM trading_position) held
          FULL JOIN (SELECT account_id, symbol, sum(remaining) AS quantity FROM trading_lot
                      GROUP BY account_id, symbol) lots USING (account_id, symbol)
          JOIN trading_cashbalance cash USING (account_id)
         WHERE cash.lots_since IS NOT NULL
           AND coalesce(held.quantity, 0) <> coalesce(lots.quantity, 0)
           AND NOT EXISTS (SELECT FROM trading_positiondrift drift
                            WHERE drift.account_id = cash.account_id
                              AND drift.symbol = coalesce(held.symbol, lots.symbol)
                              AND drift.state IN ('SUSPECTED', 'OPEN', 'PROPOSED', 'ACCEPTED'))
    """,
    "a book of lots does not know what they add up to": """
        SELECT book.id, book.symbol, book.quantity, sum(lot.remaining)
          FROM trading_lotbook book LEFT JOIN trading_lot lot USING (account_id, symbol)
         GROUP BY book.id, book.symbol, book.quantity
        HAVING book.quantity <> coalesce(sum(lot.remaining), 0)
    """,
    "a lot is not what was bought less what was sold of it": """
        SELECT lot.id, lot.quantity, lot.remaining, sum(closing.quantity)
          FROM trading_lot lot LEFT JOIN trading_lotclosing closing ON closing.lot_id = lot.id
         WHERE NOT EXISTS (SELECT FROM trading_sharemovement moved
                            WHERE moved.account_id = lot.account_id)
         GROUP BY lot.id, lot.quantity, lot.remaining
        HAVING abs(lot.quantity - lot.remaining) <> coalesce(sum(closing.quantity), 0)
    """,
    "the proceeds of a sale are not those of its lots": """
        SELECT fill.id, fill.value, sum(closing.proceeds)
          FROM (SELECT sale.id, quantity, quantity * price * coalesce(multiplier, 1) AS value
                  FROM trading_execution sale LEFT JOIN market_instrument USING (symbol)
                 WHERE side = 'SELL') fill
          JOIN trading_lotclosing closing ON closing.fill_id = fill.id
         GROUP BY fill.id, fill.quantity, fill.value
        HAVING sum(closing.quantity) = fill.quantity
           AND abs(sum(closing.proceeds) - fill.value) > 0.005
    """,
    "a loss that does not count is in no lot": """
        SELECT account_id, washed.lost, added.dollars
          FROM (SELECT account_id, sum(disallowed) AS lost FROM trading_lotclosing
                 GROUP BY account_id) washed
          JOIN (SELECT account_id, sum(wash_added) AS dollars FROM trading_lot
                 GROUP BY account_id) added USING (account_id)
         WHERE washed.lost <> added.dollars
    """,
    "lots have what was taken back": """
        SELECT lot.id FROM trading_lot lot
          JOIN trading_execution fill ON fill.lot_id = lot.id AND fill.is_busted
         WHERE lot.quantity > 0
           AND NOT EXISTS (SELECT FROM trading_execution stands
                            WHERE stands.lot_id = lot.id AND NOT stands.is_busted)
    """,
    "an order has less filled than was executed": """
        SELECT book.id FROM trading_order book JOIN trading_execution fill
            ON fill.order_id = book.id AND NOT fill.is_busted
         GROUP BY book.id, book.filled_quantity HAVING sum(fill.quantity) > book.filled_quantity
    """,
}


def check() -> None:
    """Assert all of it."""
    with acting_as(SYSTEM), connection.cursor() as sql:
        for what, query in _BROKEN.items():
            sql.execute(query)
            found = sql.fetchall()
            assert not found, f"{what}: {found[:5]}"
