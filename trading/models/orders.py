"""Orders, and what was bought and sold with each."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from core.db.columns import BEYOND, MoneyColumn, PriceColumn, QuantityColumn, positive
from core.intents.models import CLOSED, IntentQuerySet, IntentStep
from core.intents.states import IntentState
from core.models import CustomerOwned
from core.money import Money
from trading.models.held import Holdable
from trading.models.wording import columns_of, ticket_of
from trading.risk import Verdict
from trading.states import (
    REPLACED,
    TERMINAL,
    OrderClass,
    OrderType,
    Side,
    Source,
    TimeInForce,
    is_open,
)
from trading.tickets import Ticket

ACCOUNT = "accounts.BrokerageAccount"
RISK_REFUSED = "risk_refused"
ZERO = Decimal(0)


class OrderQuerySet(IntentQuerySet["Order"]):
    def named(self, order_id: str | UUID) -> Self:
        """Find by our id or by the broker's."""
        text = str(order_id)
        try:
            return self.filter(Q(pk=UUID(text)) | Q(broker_order_id=text.lower()))
        except ValueError:
            return self.none()

    def working(self) -> Self:
        """Keep the orders by which the broker may yet change the holdings."""
        return self.filter(
            ~Q(state__in=[IntentState.REJECTED, IntentState.CANCELED])
            & ~Q(state=IntentState.ACCEPTED, vendor_status__in=sorted(TERMINAL))
        )

    def to_cancel(self) -> Self:
        """Keep those that somebody wants canceled and that the broker still works on."""
        return self.filter(state=IntentState.ACCEPTED, cancel_asked_at__isnull=False).exclude(
            vendor_status__in=sorted(TERMINAL)
        )

    def untold(self) -> Self:
        """Keep those of which more was filled than the cash ledger was told of."""
        return self.filter(posted_quantity__lt=F("filled_quantity"))


class Order(Holdable, CustomerOwned):
    """
    An order; our id is the broker's `client_order_id`, so that it can never be placed twice.

    `vendor_status` is the broker's word for it. `reserved_cash` and `reserved_quantity` are what
    the stored holdings do not know to be taken yet; `booked_quantity` is how much of what was
    filled they already contain, `posted_quantity` how much the cash ledger was told of.
    """

    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    broker_account_id = models.CharField(max_length=64, editable=False)
    broker_order_id = models.CharField(max_length=64, blank=True)
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
    parent: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="legs"
    )
    replaces: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replacements"
    )
    total_quantity = QuantityColumn(
        null=True, blank=True, help_text="Of a replacement: what the old order has filled included."
    )
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.CUSTOMER)
    lot_choices = models.JSONField(
        default=list, blank=True, help_text="Which lots a sale takes, if the customer has said so."
    )
    cancel_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_asked_by = models.CharField(max_length=600, blank=True, editable=False)
    value = MoneyColumn(null=True, blank=True, help_text="What it was worth when it was judged.")
    verdict = models.JSONField(default=dict, help_text="What the risk rules said, and why.")
    placed_by = models.CharField(max_length=600, help_text="The credential that asked for it.")
    filled_quantity = QuantityColumn(default=ZERO)
    average_price = PriceColumn(null=True, blank=True)
    booked_quantity = QuantityColumn(default=ZERO, editable=False)
    posted_quantity = QuantityColumn(default=ZERO, editable=False)
    reserved_cash = MoneyColumn(default=ZERO, editable=False)
    reserved_quantity = QuantityColumn(default=ZERO, editable=False)
    read_quantity = QuantityColumn(
        default=ZERO,
        editable=False,
        help_text="How much readings show as filled, whether or not the fills were told.",
    )
    read_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_corrected = models.BooleanField(
        default=False, editable=False, help_text="A fill of it was taken back or changed."
    )
    broker_record = models.JSONField(
        default=dict, blank=True, help_text="The broker's own words, as it last told them."
    )

    # What the broker has just said of it, for those who react to that; no column.
    heard: Any = None

    objects: ClassVar[OrderQuerySet] = OrderQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Holdable.Meta):
        permissions = [
            ("cancel_order", "May have the broker cancel an order"),
            ("settle_order", "May settle an order of which nobody knows"),
        ]
        constraints = [
            *Holdable.Meta.constraints,
            models.CheckConstraint(condition=Q(side__in=Side.values), name="trading_order_side"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True, notional__isnull=False)
                | Q(quantity__isnull=False, notional__isnull=True),
                name="trading_order_one_size",
            ),
            positive("quantity", name="trading_order_quantity"),
            positive("notional", name="trading_order_notional"),
            positive("limit_price", name="trading_order_limit_price"),
            positive("stop_price", name="trading_order_stop_price"),
            positive("trail_price", name="trading_order_trail_price"),
            positive("trail_percent", name="trading_order_trail_percent"),
            models.CheckConstraint(
                condition=Q(state=IntentState.HELD) | Q(held_for=""), name="trading_order_held_for"
            ),
            models.CheckConstraint(
                condition=Q(filled_quantity__gte=0)
                & Q(filled_quantity__lt=BEYOND)
                & Q(booked_quantity__gte=0)
                & Q(booked_quantity__lt=BEYOND),
                name="trading_order_filled",
            ),
            models.CheckConstraint(
                condition=Q(posted_quantity__gte=0) & Q(posted_quantity__lt=BEYOND),
                name="trading_order_posted",
            ),
            models.CheckConstraint(
                condition=Q(reserved_cash__gte=0)
                & Q(reserved_cash__lt=BEYOND)
                & Q(reserved_quantity__gte=0)
                & Q(reserved_quantity__lt=BEYOND),
                name="trading_order_reserved",
            ),
            models.UniqueConstraint(
                fields=["broker_order_id"],
                condition=~Q(broker_order_id=""),
                name="trading_broker_order_once",
            ),
            # Of two that want to replace an order only one may reach the broker.
            models.UniqueConstraint(
                fields=["replaces"],
                condition=~Q(state__in=["REJECTED", "CANCELED"])
                & ~Q(state="ACCEPTED", vendor_status__in=sorted(TERMINAL)),
                name="trading_replaced_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=IntentState.ACCEPTED) | ~Q(broker_order_id=""),
                name="trading_accepted_has_broker_id",
            ),
        ]
        indexes = [
            *Holdable.Meta.indexes,
            models.Index(fields=["account", "-created_at"], name="trading_order_of_account"),
            models.Index(
                fields=["account"],
                condition=~Q(state__in=["REJECTED", "CANCELED"])
                & ~Q(state="ACCEPTED", vendor_status__in=sorted(TERMINAL)),
                name="trading_order_working",
            ),
            models.Index(
                fields=["account"],
                condition=Q(reserved_cash__gt=0) | Q(reserved_quantity__gt=0),
                name="trading_order_reserving",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(posted_quantity__lt=F("filled_quantity")),
                name="trading_order_untold",
            ),
            models.Index(
                fields=["held_for", "opens_at"],
                condition=Q(state="HELD"),
                name="trading_order_held",
            ),
            models.Index(
                fields=["cancel_asked_at"],
                condition=Q(state="ACCEPTED", cancel_asked_at__isnull=False)
                & ~Q(vendor_status__in=sorted(TERMINAL)),
                name="trading_order_to_cancel",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.symbol} {self.pk}"

    # Factories

    @classmethod
    def open(
        cls,
        *,
        pk: UUID,
        account: Any,
        ticket: Ticket,
        verdict: Verdict,
        placed_by: str,
        at: datetime,
        source: Source = Source.CUSTOMER,
        replaces: "Order | None" = None,
        total_quantity: Decimal | None = None,
        freed: Decimal = ZERO,
    ) -> "Order":
        """
        Write an order down; one that the rules refuse is kept as canceled.

        One that takes another's place reserves only what it needs beyond `freed`: the dollars or
        shares that the other one still holds.
        """
        order = cls(
            id=pk,
            user_id=account.user_id,
            account_id=account.pk,
            broker_account_id=account.broker_account_id,
            **columns_of(ticket),
            verdict=verdict.as_json(),
            placed_by=placed_by,
            source=source,
            replaces=replaces,
            parent=replaces.parent if replaces else None,
            total_quantity=total_quantity,
        )
        if verdict.is_allowed:
            order._reserve(verdict)
            order.reserved_cash = max(order.reserved_cash - freed, ZERO)
            order.reserved_quantity = max(order.reserved_quantity - freed, ZERO)
        else:
            order.state = IntentState.CANCELED
            order.reason, order.reason_code = verdict.detail, RISK_REFUSED
            order.settled_at = at
        order.save(force_insert=True)
        return order

    # Mutators

    def weigh(self, verdict: Verdict) -> None:
        """Take over a newer verdict, and what the order takes by it (the caller saves)."""
        self.verdict = verdict.as_json()
        self._reserve(verdict)

    def take_over(self, *, status: str, filled: Decimal, average: Decimal | None) -> None:
        """Take over how far the broker has come (the caller has checked that it is news)."""
        self.vendor_status = status[:64]
        self.filled_quantity = filled
        self.average_price = average
        # What a replaced order has reserved goes over to its replacement.
        if not is_open(status) and self.is_booked and status != REPLACED:
            self.release()

    def release(self) -> None:
        """Hold nothing back for it any longer (the caller saves)."""
        self.reserved_cash = ZERO
        self.reserved_quantity = ZERO

    def inherit(self, old: "Order") -> None:
        """Take over what a replaced order has reserved."""
        most = Money.rounded(self.most_cost).amount
        left = (self.quantity or ZERO) - self.filled_quantity
        self.reserved_cash = min(self.reserved_cash + old.reserved_cash, most)
        self.reserved_quantity = (
            ZERO if self.is_buy else min(self.reserved_quantity + old.reserved_quantity, left)
        )
        self.save(update_fields=["reserved_cash", "reserved_quantity"])

    def inherit_wish(self, old: "Order") -> None:
        """Take over from a replaced order that it be canceled."""
        if old.cancel_asked_at is not None and self.cancel_asked_at is None:
            self.cancel_asked_at, self.cancel_asked_by = old.cancel_asked_at, old.cancel_asked_by
            self.save(update_fields=["cancel_asked_at", "cancel_asked_by"])

    def withdraw(self, *, at: datetime, reason: str) -> None:
        """Cancel an order that was never sent."""
        self.release()
        self.advance(
            IntentState.CANCELED, at=at, reason=reason, reason_code="customer_canceled", **CLOSED
        )

    def note_status(self, before: str) -> None:
        """Append a change of the broker's word to the history."""
        IntentStep.objects.create(
            intent_kind=self._meta.label,
            intent_id=self.pk,
            from_state=self.state,
            to_state=self.state,
            reason=f"The broker's status was {before or 'empty'}.",
            vendor_status=self.vendor_status,
        )

    def _reserve(self, verdict: Verdict) -> None:
        assert verdict.value is not None  # noqa: S101 - an allowed order has been valued
        assert verdict.price is not None  # noqa: S101
        self.value = Money.rounded(verdict.value).amount
        if self.side == Side.BUY:
            # The broker holds what a stop or a limit order may cost at its own price.
            own = Money.rounded(self.most_cost).amount
            self.reserved_cash = max(Money.rounded(verdict.value).amount, own)
        elif self.quantity is not None:
            self.reserved_quantity = self.quantity
        else:
            self.reserved_quantity = round(verdict.value / verdict.price, 9)

    # Queries

    @property
    def most_cost(self) -> Decimal:
        """What the rest of a purchase may cost at the price that it names or was judged by."""
        price = self.limit_price or self.stop_price or self.verdict.get("price")
        if not self.is_buy or self.quantity is None or price is None:
            return ZERO
        return Decimal((self.quantity - self.filled_quantity) * Decimal(price))

    @property
    def own_limit(self) -> Decimal | None:
        """The limit it works with; of two exits (OCO) it is that of the first."""
        is_oco = self.order_class == OrderClass.OCO
        limit: Decimal | None = self.take_profit_price if is_oco else self.limit_price
        return limit

    @property
    def client_order_id(self) -> str:
        """The id by which the broker knows it from us."""
        return str(self.pk)

    @property
    def public_id(self) -> str:
        """The id that reference shapes show: the broker's once known, else ours."""
        return self.broker_order_id or str(self.pk)

    @property
    def is_buy(self) -> bool:
        return self.side == Side.BUY

    @property
    def is_working(self) -> bool:
        """Say whether something may yet be bought or sold with it."""
        if self.is_refused:
            return False
        return self.state != IntentState.ACCEPTED or is_open(self.vendor_status)

    @property
    def is_booked(self) -> bool:
        """Say whether the stored holdings contain all that was filled."""
        return bool(self.booked_quantity >= self.filled_quantity)

    @property
    def is_posted(self) -> bool:
        """Say whether the cash ledger was told of all that was filled."""
        return bool(self.posted_quantity >= self.filled_quantity)

    @property
    def is_refused(self) -> bool:
        """Say whether it came to nothing: refused by a rule or the broker, or never sent."""
        return self.state in {IntentState.REJECTED, IntentState.CANCELED}

    @property
    def ticket(self) -> Ticket:
        """The order as it was asked for."""
        return ticket_of(self)
