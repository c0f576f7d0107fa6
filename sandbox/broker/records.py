"""What the pretend broker keeps about accounts, banks, transfers, orders and positions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from typing import Any

ZERO = Decimal(0)
_CENT = Decimal("0.01")


def stamp(at: datetime | None) -> str | None:
    """Write a time as this vendor does."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(kw_only=True)
class Account:
    """
    A customer's account; `status` and `changed_at` say where it is on its way.

    It goes on by itself until it has its `destined_status`. `open_questions` are the codes of
    what the broker still wants to see before it approves.
    """

    id: str
    account_number: str
    status: str
    created_at: datetime
    changed_at: datetime
    contact: dict[str, Any]
    identity: dict[str, Any]
    disclosures: dict[str, Any]
    agreements: list[dict[str, Any]]
    trusted_contact: dict[str, Any] | None = None
    minor_identity: dict[str, Any] | None = None
    # Of a document's content only its size and its fingerprint are kept.
    documents: list[dict[str, Any]] = field(default_factory=list)
    account_type: str = "trading"
    account_sub_type: str | None = None
    enabled_assets: list[str] = field(default_factory=lambda: ["us_equity"])
    crypto_status: str = "INACTIVE"
    destined_status: str = "ACTIVE"
    open_questions: list[str] = field(default_factory=list)
    kyc_results: dict[str, Any] | None = None
    configurations: dict[str, Any] = field(default_factory=dict)
    cash: Decimal = ZERO
    # Proceeds of sales by the moment they settle; they are a part of the cash.
    unsettled: dict[str, Decimal] = field(default_factory=dict)

    @property
    def email(self) -> str:
        """The address, in the form it is compared in."""
        return str(self.contact["email_address"]).strip().lower()


@dataclass(kw_only=True)
class Relationship:
    """A linked bank. Of the bank's own number only the last four digits are kept."""

    id: str
    account_id: str
    status: str
    created_at: datetime
    updated_at: datetime
    account_owner_name: str
    bank_account_type: str
    bank_account_number: str
    bank_routing_number: str
    nickname: str


@dataclass(kw_only=True)
class Transfer:
    """Money on its way in or out."""

    id: str
    account_id: str
    relationship_id: str
    direction: str
    amount: Decimal
    status: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    reason: str | None = None
    additional_information: str | None = None
    # Decided when it is created: where it ends, COMPLETE unless the fault plan says otherwise,
    # and what the bank will give as its reason.
    destined_status: str = "COMPLETE"
    destined_reason: str | None = None


@dataclass(kw_only=True)
class Order:
    """An order through its whole life."""

    id: str
    client_order_id: str
    account_id: str
    asset_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    status: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime
    expires_at: datetime | None = None
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    high_water_mark: Decimal | None = None
    extended_hours: bool = False
    is_triggered: bool = False
    # Set by the fault plan: how the order will be treated ("partial_fill", "reject_order").
    treatment: str = ""
    target_qty: Decimal | None = None
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    filled_at: datetime | None = None
    canceled_at: datetime | None = None
    expired_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    # Of a replacement: how much of the replaced order had been filled when it was asked for.
    filled_before: Decimal = ZERO
    # "bracket", "oto" or "oco" for an order of a group; its head has no parent.
    order_class: str = ""
    parent_id: str | None = None
    # What it was before it was asked to end, and which request ("cancel" or "replace") will fail.
    resumes_as: str = "new"
    refuses: str = ""

    @property
    def is_buy(self) -> bool:
        return self.side == "buy"

    @property
    def is_entry(self) -> bool:
        """Say whether other orders wait for its fill."""
        return self.parent_id is None and self.order_class in {"bracket", "oto"}

    @property
    def group_id(self) -> str:
        """The same for all orders of a group: together, its exits sell the shares once."""
        return self.parent_id or self.id

    @property
    def is_leaving(self) -> bool:
        """Say whether another order is about to take its place, and holds what it held."""
        return self.replaced_by is not None and self.replaced_at is None

    @property
    def fixed_reserve(self) -> Decimal | None:
        """The buying power that it holds; None where this depends on the price of the moment."""
        if not self.is_buy or not self.is_open or self.is_leaving:
            return ZERO
        if self.notional is not None:
            return max(self.notional - self.filled_value, ZERO)
        price = self.limit_price or self.stop_price
        if price is None:
            return None
        return (price * (self.remaining_qty or ZERO)).quantize(_CENT, ROUND_UP)

    @property
    def is_open(self) -> bool:
        return self.status not in FINAL_ORDER_STATUSES

    @property
    def remaining_qty(self) -> Decimal | None:
        """What is still to be filled; unknown for an amount of money not yet priced."""
        whole = self.qty if self.qty is not None else self.target_qty
        return None if whole is None else whole - self.filled_qty


FINAL_ORDER_STATUSES = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


@dataclass(kw_only=True)
class Position:
    """Shares held, and what they cost together."""

    account_id: str
    symbol: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def average_entry(self) -> Decimal:
        return self.cost / self.qty if self.qty else ZERO


@dataclass(kw_only=True)
class Activity:
    """
    One line of an account's book: a fill, money that came or went, or a corporate action.

    Of a line that `moves_shares`, `qty` is signed and `cost` is what the shares take along.
    """

    id: str
    account_id: str
    activity_type: str
    at: datetime
    cash: Decimal
    symbol: str | None = None
    side: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    cum_qty: Decimal | None = None
    leaves_qty: Decimal | None = None
    order_id: str | None = None
    order_status: str | None = None
    description: str = ""
    # "canceled" once another line has taken its place; `previous_id` names the one replaced.
    status: str = "executed"
    previous_id: str | None = None
    # Of a fill: its execution, and when it happened where the line was booked later.
    execution_id: str | None = None
    executed_at: datetime | None = None
    sub_type: str = ""
    group_id: str | None = None
    moves_shares: bool = False
    cost: Decimal = ZERO
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_fill(self) -> bool:
        return self.activity_type == "FILL"

    @property
    def moved(self) -> Decimal:
        """The cash that it has in the account today."""
        return ZERO if self.status == "canceled" else self.cash

    @property
    def signed_qty(self) -> Decimal:
        """The shares that it has brought into the account, as it stands today."""
        if self.qty is None or self.status == "canceled":
            return ZERO
        if not self.is_fill:
            return self.qty if self.moves_shares else ZERO
        return self.qty if self.side == "buy" else -self.qty


@dataclass(kw_only=True)
class Event:
    """One message of an event stream; `number` is the older, integer cursor."""

    ulid: str
    number: int
    stream: str
    account_id: str
    at: datetime
    payload: dict[str, Any]
