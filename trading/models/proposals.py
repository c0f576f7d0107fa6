"""What somebody suggests to buy or sell, and the customer's word on it."""

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from core.clock import Now
from core.db.columns import MoneyColumn, PriceColumn, QuantityColumn, positive
from core.ids import new_id
from core.models import CustomerOwned
from core.money import Money, Price, Quantity
from trading.models.orders import ACCOUNT, Order
from trading.states import PROPOSAL_MOVES, ProposalState, Side
from trading.tickets import Ticket

ZERO = Decimal(0)


class ProposalQuerySet(models.QuerySet["Proposal"]):
    def due(self) -> Self:
        """Keep the pending ones whose time has run out by the database's clock."""
        return self.filter(state=ProposalState.PENDING, expires_at__lte=Now())


class Proposal(CustomerOwned):
    """
    An order that somebody suggests and only the customer can approve.

    The hash covers every field the customer is shown; approving names it, so that what was seen
    is what is bought. The id follows from the run and the tool call: a replay makes no second one.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    run_id = models.UUIDField()
    tool_call_id = models.CharField(max_length=128)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=Side.choices)
    quantity = QuantityColumn(null=True, blank=True)
    notional = MoneyColumn(null=True, blank=True)
    quote_price = PriceColumn()
    quote_as_of = models.DateTimeField()
    price_low = PriceColumn()
    price_high = PriceColumn()
    hash = models.CharField(max_length=64, editable=False)
    state = models.CharField(
        max_length=16, choices=ProposalState.choices, default=ProposalState.PENDING
    )
    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="proposal"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[ProposalQuerySet] = ProposalQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run_id", "tool_call_id"], name="trading_proposal_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=ProposalState.values), name="trading_proposal_state"
            ),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="trading_proposal_side"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True, notional__isnull=False)
                | Q(quantity__isnull=False, notional__isnull=True),
                name="trading_proposal_one_size",
            ),
            models.CheckConstraint(
                condition=Q(order__isnull=True) | Q(state=ProposalState.APPROVED),
                name="trading_proposal_order_approved",
            ),
            models.CheckConstraint(
                condition=Q(price_low__lte=F("quote_price"), price_high__gte=F("quote_price")),
                name="trading_proposal_band",
            ),
            positive("quantity", name="trading_proposal_quantity"),
            positive("notional", name="trading_proposal_notional"),
            positive("quote_price", name="trading_proposal_quote_price"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(state="PENDING"),
                name="trading_proposal_pending",
            )
        ]

    def __str__(self) -> str:
        return self.text

    # Mutators

    def settle(self, to: ProposalState, *, at: datetime, order: Order | None = None) -> None:
        """
        Make the one move a proposal has, and save.

        :raises ValueError: it is settled already; callers look first, under its lock.
        """
        if to not in PROPOSAL_MOVES[ProposalState(self.state)]:
            raise ValueError(f"Proposal {self.pk} cannot go from {self.state} to {to}.")
        self.state, self.order, self.settled_at = to, order, at
        self.save(update_fields=["state", "order", "settled_at"])

    # Queries

    @property
    def ticket(self) -> Ticket:
        """The order it stands for."""
        return Ticket(
            symbol=self.symbol,
            side=Side(self.side),
            quantity=self.quantity,
            notional=self.notional,
        )

    @property
    def text(self) -> str:
        """Say in one line, made from the columns alone, what approving does."""
        if self.notional is not None:
            size = f"${Money(self.notional)} of {self.symbol}"
        else:
            shares = Quantity(self.quantity or ZERO)
            size = f"{shares} {'share' if shares.amount == 1 else 'shares'} of {self.symbol}"
        prices = f"${Price(self.price_low)} to ${Price(self.price_high)}"
        return f"{self.side} {size} at the market price, as long as it is {prices}."

    def fingerprint(self) -> str:
        """Hash what the customer is shown, from the columns as they are now."""
        shown = {
            "id": str(self.pk),
            "user_id": self.user_id,
            "account_id": str(self.account_id),
            "symbol": self.symbol,
            "side": self.side,
            "quantity": None if self.quantity is None else str(Quantity(self.quantity)),
            "notional": None if self.notional is None else str(Money(self.notional)),
            "quote_price": str(Price(self.quote_price)),
            "price_low": str(Price(self.price_low)),
            "price_high": str(Price(self.price_high)),
            "text": self.text,
        }
        canonical = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @staticmethod
    def expiry(seconds: int) -> Any:
        """Return the database's time this many seconds from now."""
        return Now() + timedelta(seconds=seconds)


class Approval(CustomerOwned):
    """Who approved a proposal, when, and what they were shown. At most one per proposal."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="approval")
    approved_by = models.CharField(max_length=600)
    hash = models.CharField(max_length=64)
    text = models.CharField(max_length=300)
    price = PriceColumn(help_text="The market price at that moment.")
    at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return str(self.proposal_id)
