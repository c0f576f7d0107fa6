"""What somebody suggests to buy or sell, and the customer's word on it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID, uuid5

from django.db import models
from django.db.models import F, Prefetch, Q

from core.clock import Now
from core.db.columns import BEYOND, MoneyColumn, PriceColumn, QuantityColumn, positive
from core.ids import new_id
from core.models import CustomerOwned
from trading import wording
from trading.models.orders import ACCOUNT, Order
from trading.models.wording import columns_of, ticket_of
from trading.states import (
    PROPOSAL_MOVES,
    AfterHours,
    OrderClass,
    OrderType,
    ProposalOrigin,
    ProposalState,
    Side,
    TimeInForce,
)
from trading.tickets import Ticket


class ProposalQuerySet(models.QuerySet["Proposal"]):
    def due(self) -> Self:
        """Keep the pending ones whose time has run out by the database's clock."""
        return self.filter(state=ProposalState.PENDING, expires_at__lte=Now())

    def whole(self) -> Self:
        """Bring the lines along, with the orders that came of them."""
        lines = ProposalLine.objects.select_related("approved__order")
        return self.prefetch_related(Prefetch("lines", queryset=lines))


class Proposal(CustomerOwned):
    """
    Orders that somebody suggests and only the customer can approve, all of them or none.

    The hash covers everything the customer is shown; approving names it, so that what was seen
    is what is done. Who suggests chooses the id, so that suggesting again makes no second one.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    account_label = models.CharField(max_length=32, help_text="How the account is shown.")
    origin = models.CharField(max_length=11, choices=ProposalOrigin.choices)
    run_id = models.UUIDField(null=True, blank=True)
    tool_call_id = models.CharField(max_length=128, blank=True)
    supersedes: "models.OneToOneField[Any, Any]" = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    warnings = models.JSONField(default=list, blank=True)
    version = models.PositiveSmallIntegerField(default=wording.VERSION, editable=False)
    hash = models.CharField(max_length=64, editable=False)
    state = models.CharField(
        max_length=16, choices=ProposalState.choices, default=ProposalState.PENDING
    )
    refusal = models.JSONField(
        default=dict, blank=True, help_text="The verdict by which an approval came to nothing."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[ProposalQuerySet] = ProposalQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run_id", "tool_call_id"],
                condition=~Q(tool_call_id=""),
                name="trading_proposal_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ProposalState.values), name="trading_proposal_state"
            ),
            models.CheckConstraint(
                condition=Q(origin__in=ProposalOrigin.values), name="trading_proposal_origin"
            ),
            models.CheckConstraint(
                condition=~Q(origin=ProposalOrigin.AGENT) | Q(run_id__isnull=False),
                name="trading_proposal_agent_has_run",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(state="PENDING"),
                name="trading_proposal_pending",
            ),
            models.Index(fields=["user_id", "created_at"], name="trading_proposal_of_customer"),
            models.Index(fields=["run_id"], name="trading_proposal_of_run"),
        ]

    def __str__(self) -> str:
        return self.summary

    # Factories

    @classmethod
    def open(cls, *, lines: "Sequence[ProposalLine]", **columns: Any) -> "Proposal":
        """Write a proposal down with its lines, under the hash of what they say."""
        proposal = cls(**columns)
        for position, line in enumerate(lines, start=1):
            line.id = uuid5(proposal.pk, str(position))
            line.proposal, line.user_id, line.position = proposal, proposal.user_id, position
        proposal.hash = wording.fingerprint_of(proposal, lines)
        proposal.save(force_insert=True)
        ProposalLine.objects.bulk_create(lines)
        return proposal

    # Mutators

    def settle(self, to: ProposalState, *, at: datetime) -> None:
        """
        Make the one move a proposal has, and save.

        :raises ValueError: it is settled already; callers look first, under its lock.
        """
        if to not in PROPOSAL_MOVES[ProposalState(self.state)]:
            raise ValueError(f"Proposal {self.pk} cannot go from {self.state} to {to}.")
        self.state, self.settled_at = to, at
        self.save(update_fields=["state", "settled_at"])

    def note_refusal(self, verdict: dict[str, Any], *, position: int, at: datetime) -> None:
        """Remember why an approval came to nothing, and save."""
        self.refusal = {"at": at.isoformat(), "position": position, "verdict": verdict}
        self.save(update_fields=["refusal"])

    # Queries

    @property
    def in_order(self) -> "list[ProposalLine]":
        """Its lines as they are shown."""
        return sorted(self.lines.all(), key=lambda line: line.position)

    @property
    def orders(self) -> list[Order]:
        """The orders that came of it."""
        found = [line.order for line in self.in_order]
        return [order for order in found if order is not None]

    @property
    def text(self) -> str:
        """What the customer reads: everything that approving does."""
        return wording.text_of(self, self.in_order)

    @property
    def summary(self) -> str:
        """What approving does in a sentence for each order, without naming the account."""
        return wording.summary_of(self, self.in_order)

    @property
    def estimated_total(self) -> Decimal:
        """What all lines together are worth, purchases and sales alike."""
        return sum((line.estimated_value for line in self.lines.all()), Decimal(0))

    def fingerprint(self) -> str:
        """Hash what the customer is shown, from the columns as they are now."""
        return wording.fingerprint_of(self, self.in_order)


class ProposalLine(CustomerOwned):
    """
    One order of a proposal, exactly as it would be placed, and what it was judged by.

    It is only ever added: what was shown stays what it was. The market's price may move between
    `price_low` and `price_high` before an approval counts.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=Side.choices)
    order_type = models.CharField(max_length=13, choices=OrderType.choices)
    time_in_force = models.CharField(max_length=4, choices=TimeInForce.choices)
    quantity = QuantityColumn(null=True, blank=True)
    notional = MoneyColumn(null=True, blank=True)
    limit_price = PriceColumn(null=True, blank=True)
    stop_price = PriceColumn(null=True, blank=True)
    trail_price = PriceColumn(null=True, blank=True)
    trail_percent = models.DecimalField(max_digits=9, decimal_places=4, null=True, blank=True)
    extended_hours = models.BooleanField(default=False)
    order_class = models.CharField(
        max_length=7, choices=OrderClass.choices, default=OrderClass.SIMPLE
    )
    take_profit_price = PriceColumn(null=True, blank=True)
    stop_loss_price = PriceColumn(null=True, blank=True)
    stop_loss_limit_price = PriceColumn(null=True, blank=True)
    after_hours = models.CharField(
        max_length=16, choices=AfterHours.choices, default=AfterHours.REFUSE, blank=True
    )
    lot_choices = models.JSONField(default=list, blank=True)
    quote_price = PriceColumn()
    quote_as_of = models.DateTimeField()
    price_low = PriceColumn()
    price_high = PriceColumn()
    estimated_value = MoneyColumn(help_text="What it would cost or bring at the price shown.")
    verdict = models.JSONField(default=dict, help_text="What the risk rules said, and why.")

    class Meta:
        ordering: ClassVar = ["proposal", "position"]
        constraints = [
            models.UniqueConstraint(fields=["proposal", "position"], name="trading_line_once"),
            models.CheckConstraint(
                condition=Q(position__gte=1, position__lte=20), name="trading_line_position"
            ),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="trading_line_side"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True, notional__isnull=False)
                | Q(quantity__isnull=False, notional__isnull=True),
                name="trading_line_one_size",
            ),
            models.CheckConstraint(
                condition=Q(price_low__lte=F("quote_price"), price_high__gte=F("quote_price")),
                name="trading_line_band",
            ),
            models.CheckConstraint(
                condition=Q(estimated_value__gte=0, estimated_value__lt=BEYOND),
                name="trading_line_estimated_value",
            ),
            positive("quantity", name="trading_line_quantity"),
            positive("notional", name="trading_line_notional"),
            positive("limit_price", name="trading_line_limit_price"),
            positive("stop_price", name="trading_line_stop_price"),
            positive("quote_price", name="trading_line_quote_price"),
        ]
        indexes = [models.Index(fields=["symbol"], name="trading_line_of_symbol")]

    def __str__(self) -> str:
        return f"{self.side} {self.symbol}"

    # Factories

    @classmethod
    def of(cls, ticket: Ticket, **columns: Any) -> "ProposalLine":
        """Put a ticket into columns; nothing is saved."""
        return cls(**columns_of(ticket), **columns)

    # Queries

    @property
    def ticket(self) -> Ticket:
        """The order it stands for."""
        return ticket_of(self)

    @property
    def order(self) -> Order | None:
        """The order that came of it, once it was approved."""
        approved: ApprovedLine | None = getattr(self, "approved", None)
        return approved.order if approved else None

    def holds_at(self, price: Decimal) -> bool:
        """Say whether the market is still where the customer was shown it."""
        return bool(self.price_low <= price <= self.price_high)


class Approval(CustomerOwned):
    """Who approved a proposal, when, and what they were shown. At most one per proposal."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="approval")
    approved_by = models.CharField(max_length=600)
    assurance = models.CharField(
        max_length=4, blank=True, help_text="How the customer had signed in: aal2 with two factors."
    )
    hash = models.CharField(max_length=64)
    text = models.TextField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return str(self.proposal_id)

    # Factories

    @classmethod
    def of(cls, proposal: Proposal, *, approved_by: str, assurance: str) -> "Approval":
        """Write down who approves what."""
        return cls.objects.create(
            proposal=proposal,
            user_id=proposal.user_id,
            approved_by=approved_by,
            assurance=assurance,
            hash=proposal.hash,
            text=proposal.text,
        )


class ApprovedLine(CustomerOwned):
    """The order that came of a line, and the market price it was approved at."""

    line = models.OneToOneField(
        ProposalLine, on_delete=models.PROTECT, primary_key=True, related_name="approved"
    )
    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="lines")
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="proposed")
    price = PriceColumn(help_text="The market price at that moment.")

    class Meta:
        constraints = [positive("price", name="trading_approvedline_price")]

    def __str__(self) -> str:
        return str(self.line_id)

    # Factories

    @classmethod
    def of(
        cls, line: ProposalLine, *, approval: Approval, order_id: UUID, price: Decimal
    ) -> "ApprovedLine":
        """Bind an order to the line that was approved."""
        return cls.objects.create(
            line=line, user_id=line.user_id, approval=approval, order_id=order_id, price=price
        )
