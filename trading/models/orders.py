"""Orders, and what was bought and sold with each."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from core.db.columns import BEYOND, MoneyColumn, PriceColumn, QuantityColumn, positive
from core.intents.models import CLOSED, Intent, IntentQuerySet, IntentStep
from core.intents.states import IntentState
from core.models import CustomerOwned
from core.money import Money
from trading.risk import Verdict
from trading.states import (
    TERMINAL,
    AfterHours,
    HeldFor,
    OrderClass,
    OrderType,
    Side,
    Source,
    TimeInForce,
    is_open,
)
from trading.tickets import LotChoice, Ticket

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

    def untold(self) -> Self:
        """Keep those of which more was filled than the cash ledger was told of."""
        return self.filter(posted_quantity__lt=F("filled_quantity"))


class Order(Intent, CustomerOwned):
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
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.CUSTOMER)
    lot_choices = models.JSONField(
        default=list, blank=True, help_text="Which lots a sale takes, if the customer has said so."
    )
    after_hours = models.CharField(
        max_length=16, choices=AfterHours.choices, default=AfterHours.REFUSE, blank=True
    )
    held_for = models.CharField(max_length=11, choices=HeldFor.choices, blank=True)
    opens_at = models.DateTimeField(
        null=True, blank=True, help_text="The opening of the session that it waits for."
    )
    held_price = PriceColumn(
        null=True, blank=True, help_text="What the market asked when it was held back."
    )
    cancel_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_asked_by = models.CharField(max_length=600, blank=True, editable=False)
    verdict = models.JSONField(default=dict, help_text="What the risk rules said, and why.")
    placed_by = models.CharField(max_length=600, help_text="The credential that asked for it.")
    filled_quantity = QuantityColumn(default=ZERO)
    average_price = PriceColumn(null=True, blank=True)
    booked_quantity = QuantityColumn(default=ZERO, editable=False)
    posted_quantity = QuantityColumn(default=ZERO, editable=False)
    reserved_cash = MoneyColumn(default=ZERO, editable=False)
    reserved_quantity = QuantityColumn(default=ZERO, editable=False)
    broker_record = models.JSONField(
        default=dict, blank=True, help_text="The broker's own words, as it last told them."
    )

    objects: ClassVar[OrderQuerySet] = OrderQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Intent.Meta):
        constraints = [
            *Intent.Meta.constraints,
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
            models.CheckConstraint(
                condition=~Q(state=IntentState.ACCEPTED) | ~Q(broker_order_id=""),
                name="trading_accepted_has_broker_id",
            ),
        ]
        indexes = [
            *Intent.Meta.indexes,
            models.Index(fields=["account", "-created_at"], name="trading_order_of_account"),
            models.Index(
                fields=["account"],
                condition=~Q(state__in=["REJECTED", "CANCELED"])
                & ~Q(state="ACCEPTED", vendor_status__in=sorted(TERMINAL)),
                name="trading_order_working",
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
    ) -> "Order":
        """Write an order down; one that the rules refuse is kept as canceled."""
        order = cls(
            id=pk,
            user_id=account.user_id,
            account_id=account.pk,
            broker_account_id=account.broker_account_id,
            **columns_of(ticket),
            verdict=verdict.as_json(),
            placed_by=placed_by,
            source=source,
        )
        if verdict.is_allowed:
            order._reserve(verdict)
        else:
            order.state = IntentState.CANCELED
            order.reason, order.reason_code = verdict.detail, RISK_REFUSED
            order.settled_at = at
        order.save(force_insert=True)
        return order

    # Mutators

    def take_over(self, *, status: str, filled: Decimal, average: Decimal | None) -> None:
        """Take over how far the broker has come (the caller has checked that it is news)."""
        self.vendor_status = status[:64]
        self.filled_quantity = filled
        self.average_price = average
        if not is_open(status) and self.is_booked:
            self.release()

    def release(self) -> None:
        """Hold nothing back for it any longer (the caller saves)."""
        self.reserved_cash = ZERO
        self.reserved_quantity = ZERO

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
        if self.side == Side.BUY:
            self.reserved_cash = Money.rounded(verdict.value).amount
        elif self.quantity is not None:
            self.reserved_quantity = self.quantity
        else:
            self.reserved_quantity = round(verdict.value / verdict.price, 9)

    # Queries

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
        return Ticket(
            symbol=self.symbol,
            side=Side(self.side),
            order_type=OrderType(self.order_type),
            time_in_force=TimeInForce(self.time_in_force),
            order_class=OrderClass(self.order_class),
            after_hours=AfterHours(self.after_hours),
            extended_hours=self.extended_hours,
            lots=tuple(
                LotChoice(lot_id=UUID(each["lot_id"]), quantity=Decimal(each["quantity"]))
                for each in self.lot_choices
            ),
            **{name: getattr(self, name) for name in _SIZES_AND_PRICES},
        )


_SIZES_AND_PRICES = (
    "quantity",
    "notional",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "take_profit_price",
    "stop_loss_price",
    "stop_loss_limit_price",
)
_WORDS = ("symbol", "side", "order_type", "time_in_force", "order_class", "after_hours")


def columns_of(ticket: Ticket) -> dict[str, Any]:
    """Name the columns that say what a ticket says."""
    return {
        **{name: getattr(ticket, name) for name in (*_WORDS, *_SIZES_AND_PRICES)},
        "extended_hours": ticket.extended_hours,
        "lot_choices": [
            {"lot_id": str(each.lot_id), "quantity": format(each.quantity, "f")}
            for each in ticket.lots
        ],
    }
