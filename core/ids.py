"""Identifiers of our own rows."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Make a UUIDv7: unique everywhere, and in order of creation."""
    return UUID(int=uuid7().int)
