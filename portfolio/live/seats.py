"""What a seat in front of live values knows besides whose it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from core.auth.sockets import NamedAccount
from core.sockets import seats
from portfolio.live import records


@dataclass(frozen=True, slots=True)
class Resume:
    """What a client that comes back has of an account: the frame its value is from, and of what."""

    epoch: str
    seq: int
    revision: str


@dataclass(eq=False, slots=True)
class View:
    """
    One account on one socket.

    `text` is the id by which the client named the account, as JSON, and `update_head` how every
    update to it begins. `version` is that of the prices it was told last, and `revision` that of
    the holdings.
    """

    account: NamedAccount
    has_detail: bool = False
    resume: Resume | None = None
    needs_snapshot: bool = True
    version: int = 0
    revision: str = ""
    text: str = field(init=False)
    update_head: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = json.dumps(self.account.named)
        self.update_head = records.head(records.UPDATE, self.text)


@dataclass(eq=False, slots=True, kw_only=True)
class Seat(seats.Seat):
    """
    One socket; it gets the latest values once it can, and nothing of what was in between.

    `due` are the accounts of which something waits to be said, in the order in which it began to.
    `words` are answers that come before it. `plain_head` is how updates begin as long as nothing
    else needs saying; it is empty otherwise.
    """

    views: dict[UUID, View]
    has_aggregate: bool = False
    words: tuple[bytes, ...] = ()
    due: dict[UUID, None] = field(default_factory=dict)
    is_aggregate_due: bool = False
    plain_head: str = field(init=False, default="")

    @property
    def owners(self) -> Mapping[UUID, str]:
        return {account_id: view.account.user_id for account_id, view in self.views.items()}

    @property
    def has_detail(self) -> bool:
        """Say whether the client wants to hear of positions as well."""
        return any(view.has_detail for view in self.views.values())

    def expect(self, account_id: UUID) -> None:
        """Have the latest of an account said."""
        self.plain_head = ""
        self.due[account_id] = None
        self.is_aggregate_due = self.has_aggregate

    def settle(self) -> None:
        """Note that all was said: from here on plain updates do, if this socket is a plain one."""
        if not (self.has_aggregate or self.due or self.has_detail):
            self.plain_head = next(iter(self.views.values())).update_head
