"""The fixed id of each effect of a closure: whoever dies, the next one means the same."""

from datetime import date
from uuid import UUID, uuid5


def sale_id(closure_id: UUID, symbol: str, number: int) -> UUID:
    """Name the order that sells a symbol for the so-manyth time."""
    return uuid5(closure_id, f"sale:{symbol}:{number}")


def withdrawal_id(closure_id: UUID, business_date: date, number: int) -> UUID:
    """Name the so-manyth withdrawal of a working day."""
    return uuid5(closure_id, f"withdrawal:{business_date.isoformat()}:{number}")


def request_id(closure_id: UUID, number: int) -> UUID:
    """Name the so-manyth request to the broker to close the account."""
    return uuid5(closure_id, f"closing:{number}")
