"""What a seat in front of an account's live value knows besides whose it is."""

from dataclasses import dataclass, field

from core.sockets import seats
from portfolio.live import records


@dataclass(eq=False, slots=True, kw_only=True)
class Seat(seats.Seat):
    """
    One socket; it gets the latest value once it can, and nothing of what was in between.

    `account_text` is the id by which the client named the account, as JSON, and `update_head` how
    every update to it begins.
    """

    account_text: str
    needs_snapshot: bool = True
    update_head: str = field(init=False)

    def __post_init__(self) -> None:
        self.update_head = records.head(records.UPDATE, self.account_text)
