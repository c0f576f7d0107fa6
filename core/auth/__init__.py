"""Who is asking, and what the database shows them."""

from core.auth.access import acting_as
from core.auth.principals import SYSTEM, Kind, Principal, UserMismatch

__all__ = ["SYSTEM", "Kind", "Principal", "UserMismatch", "acting_as"]
