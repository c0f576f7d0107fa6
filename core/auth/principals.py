"""Who is asking: a customer, a service with a key, a member of staff, or the system itself."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from core.errors import CleraError, Forbidden

ACT_FOR = "act_for"
_LONGEST_USER_ID = 255

# What the routes ask for. A customer may do all of it with what is their own; a key may do what
# it was given. `act_for` is not among them: it says whose data a key may name.
ROUTE_SCOPES = frozenset(
    {
        "accounts:read",
        "accounts:write",
        "funding:read",
        "funding:write",
        "trading:read",
        "trading:write",
        "portfolio:read",
        "portfolio:write",
        "market:read",
        "chat:read",
        "chat:write",
    }
)


class UserMismatch(CleraError):
    code = "user_mismatch"
    status = 403
    detail = "The user named in the request is not the one this credential belongs to."


class Kind(StrEnum):
    CUSTOMER = "CUSTOMER"
    SERVICE = "SERVICE"
    STAFF = "STAFF"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Principal:
    """
    A verified identity and what it may do.

    `user_id` says whose data is seen; `acted_by` names the key or the member of staff when that
    is not the customer; `expires_at` is when a socket opened with this credential must close.
    """

    kind: Kind
    user_id: str | None = None
    key_id: str | None = None
    scopes: frozenset[str] = field(default=frozenset())
    aal: str | None = None
    acted_by: str | None = None
    expires_at: datetime | None = None

    @property
    def is_authenticated(self) -> bool:
        """Say yes to Django and DRF, which ask every user object this."""
        return True

    @classmethod
    def staff(cls, user_pk: object) -> Self:
        """Make the principal of a signed-in member of staff; who may be one is the admin's rule."""
        return cls(kind=Kind.STAFF, acted_by=str(user_pk))

    @property
    def sees_everything(self) -> bool:
        """Say whether row-level security lets all rows pass: for our own workers and for staff."""
        return self.kind in {Kind.SYSTEM, Kind.STAFF}

    @property
    def name(self) -> str:
        """Name the credential in logs and in keys that belong to it, with ids only."""
        return f"{self.kind.value.lower()}:{self.acted_by or self.key_id or self.user_id or ''}"

    def can(self, scope: str) -> bool:
        """Say whether this principal may do what needs `scope`."""
        if self.kind is Kind.SYSTEM:
            return True
        if self.kind is Kind.CUSTOMER:
            return scope in ROUTE_SCOPES
        return scope in self.scopes

    def acting_for(self, user_id: str) -> Self:
        """
        Become the principal that works with the data of `user_id`.

        :raises UserMismatch: a customer names somebody else.
        :raises Forbidden: the key lacks `act_for`, or the kind may never act for a customer.
        """
        if self.kind is Kind.CUSTOMER:
            if user_id != self.user_id:
                raise UserMismatch
            return self
        if self.kind not in {Kind.SERVICE, Kind.SYSTEM} or not self.can(ACT_FOR):
            raise Forbidden("This credential may not act for a customer.")
        if not is_user_id(user_id):
            raise UserMismatch("The user id is not readable.")
        if self.user_id == user_id:
            return self
        return replace(self, user_id=user_id, acted_by=self.acted_by or self.key_id)


def is_user_id(text: object) -> bool:
    """Say whether this may be a customer's id: opaque, short, printable text."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= _LONGEST_USER_ID
        and text.isprintable()
        and text.strip() == text
    )


SYSTEM = Principal(kind=Kind.SYSTEM)
