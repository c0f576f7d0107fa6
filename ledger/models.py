"""The cash of each account as double entry, who told of each entry, and where we differ."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Q, Sum, Value, When

from core.clock import Now
from core.db.columns import MoneyColumn, QuantityColumn, finite, positive
from core.ids import new_id
from core.models import CustomerOwned
from ledger.states import (
    CASH,
    DRIFT_MOVES,
    OUTSIDE,
    UNSETTLED,
    Book,
    DriftKind,
    DriftState,
    EntryKind,
    Remedy,
    WitnessKind,
)

ACCOUNT: Final = "accounts.BrokerageAccount"
ZERO: Final = Decimal("0.00")


def _signed(books: frozenset[Book]) -> Sum:
    """Add up what flows into these books, less what flows out of them."""
    flow = Case(
        When(Q(debit__in=books) & ~Q(credit__in=books), then=F("amount")),
        When(Q(credit__in=books) & ~Q(debit__in=books), then=-F("amount")),
        default=Value(ZERO),
        output_field=MoneyColumn(),
    )
    return Sum(flow, default=ZERO)


class EntryQuerySet(models.QuerySet["Entry"]):
    def cash(self) -> Decimal:
        """Add up the account's cash, held or not."""
        return self._total(CASH)

    def available(self) -> Decimal:
        """Add up the cash that nothing holds back."""
        return self._total(frozenset({Book.AVAILABLE}))

    def held(self) -> Decimal:
        """Add up the cash held back."""
        return self._total(frozenset({Book.HELD}))

    def available_and_held(self) -> tuple[Decimal, Decimal]:
        """Add up the free and the held cash in one go."""
        totals = self.aggregate(
            free=_signed(frozenset({Book.AVAILABLE})), held=_signed(frozenset({Book.HELD}))
        )
        return totals["free"], totals["held"]

    def put_in(self) -> Decimal:
        """Add up what came into the account from outside, less what left it."""
        return -self._total(OUTSIDE)

    def _total(self, books: frozenset[Book]) -> Decimal:
        total: Decimal = self.aggregate(total=_signed(books))["total"]
        return total

    def moving_cash(self) -> Self:
        """Leave out what only holds cash back or frees it."""
        return self.exclude(kind__in=[EntryKind.HOLD, EntryKind.RELEASE])

    def since(self, at: datetime | None) -> Self:
        """Keep what was written down from then on; all of it without a time."""
        return self.all() if at is None else self.filter(recorded_at__gte=at)

    def outside(self) -> Self:
        """Keep the external cash flows: what came from outside the account or left it."""
        return self.filter(Q(debit__in=OUTSIDE) | Q(credit__in=OUTSIDE))


class Entry(CustomerOwned):
    """
    One movement of cash from the book `credit` to the book `debit`, never changed.

    Both sides are in one row with one amount, so that the books are balanced however it came to be.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=20, choices=EntryKind.choices)
    debit = models.CharField("to", max_length=12, choices=Book.choices)
    credit = models.CharField("from", max_length=12, choices=Book.choices)
    amount = MoneyColumn()
    reference = models.UUIDField(
        null=True, blank=True, help_text="The transfer or order that it belongs to, by our id."
    )
    natural_key = models.CharField(
        max_length=160, blank=True, help_text="What is the same whoever tells of it."
    )
    symbol = models.CharField(max_length=32, blank=True)
    quantity = QuantityColumn(
        null=True, blank=True, help_text="Of a fill, how much was bought or sold with it."
    )
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by"
    )
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[EntryQuerySet] = EntryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            positive("amount", name="ledger_entry_amount"),
            positive("quantity", name="ledger_entry_quantity"),
            models.CheckConstraint(
                condition=Q(kind__in=EntryKind.values)
                & Q(debit__in=Book.values)
                & Q(credit__in=Book.values),
                name="ledger_entry_words",
            ),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="ledger_entry_two_sides"),
            models.UniqueConstraint(
                fields=["account", "natural_key"],
                condition=~Q(natural_key=""),
                name="ledger_entry_once",
            ),
        ]
        indexes = [
            # The policies look at whose it is: without that column no sum is read from the index.
            models.Index(
                fields=["account", "recorded_at"],
                include=["debit", "credit", "amount", "kind", "user_id"],
                name="ledger_entry_balance",
            ),
            models.Index(fields=["account", "-occurred_at"], name="ledger_entry_of_account"),
            models.Index(
                fields=["reference"],
                condition=Q(reference__isnull=False),
                name="ledger_entry_reference",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"

    # Queries

    @property
    def cash_effect(self) -> Decimal:
        """What it does to the account's cash; nothing for a hold."""
        into, out_of = self.debit in CASH, self.credit in CASH
        amount: Decimal = self.amount
        return ZERO if into == out_of else amount if into else -amount

    def told_by(self) -> list[str]:
        """List the kinds of witnesses that have told of it."""
        return sorted(self.witnesses.values_list("kind", flat=True))


class Witness(CustomerOwned):
    """That somebody has told us of an entry; whoever tells it twice is not heard again."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="witnesses")
    kind = models.CharField(max_length=10, choices=WitnessKind.choices)
    external_id = models.CharField(max_length=160)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "witnesses"
        constraints = [
            models.UniqueConstraint(fields=["kind", "external_id"], name="ledger_witness_once"),
            # Two tellings of one kind are two movements.
            models.UniqueConstraint(fields=["entry", "kind"], name="ledger_witness_per_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"


class LedgerBook(CustomerOwned):
    """
    How far an account's ledger has been compared with the broker's books.

    It is closed up to a day ago: the older entries have been added up, and looked through for
    witnesses that lack, so that nobody has to read them again.
    """

    account: "models.OneToOneField[Any, Any]" = models.OneToOneField(
        ACCOUNT, on_delete=models.PROTECT, related_name="+", primary_key=True
    )
    opened_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when it has all that the broker's books have."
    )
    compared_at = models.DateTimeField(null=True, blank=True)
    agreed_at = models.DateTimeField(null=True, blank=True)
    broker_cash = MoneyColumn(null=True, blank=True, help_text="As it was compared last.")
    explained = MoneyColumn(
        default=ZERO, help_text="A difference that people have explained, so that it is none."
    )
    due_at = models.DateTimeField(db_default=Now(), db_index=True)
    closed_until = models.DateTimeField(
        null=True, blank=True, help_text="What was written down before is added up here."
    )
    closed_available = MoneyColumn(default=ZERO, help_text="The free cash then.")
    closed_held = MoneyColumn(default=ZERO, help_text="The cash held back then.")

    class Meta:
        constraints = [
            finite("closed_available", name="ledger_book_closed_available"),
            finite("closed_held", name="ledger_book_closed_held"),
            finite("broker_cash", name="ledger_book_broker_cash"),
            finite("explained", name="ledger_book_explained"),
        ]

    def __str__(self) -> str:
        return str(self.account_id)


class DriftQuerySet(models.QuerySet["Drift"]):
    def unsettled(self) -> Self:
        """Keep what is still a difference, or may be one."""
        return self.filter(state__in=UNSETTLED)


class Drift(CustomerOwned):
    """
    A difference between our ledger and the broker's books, which only people may explain away.

    `difference` is the broker's figure less ours. Whoever proposes a remedy may not approve it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    kind = models.CharField(max_length=16, choices=DriftKind.choices)
    subject = models.CharField(
        max_length=160, blank=True, help_text="The entry it is about; none for a balance."
    )
    entry = models.ForeignKey(
        Entry, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    difference = MoneyColumn()
    evidence = models.JSONField(
        default=dict, blank=True, help_text="Both figures as they were read, and what lacks."
    )
    state = models.CharField(
        max_length=10, choices=DriftState.choices, default=DriftState.SUSPECTED
    )
    remedy = models.CharField(max_length=10, choices=Remedy.choices, blank=True)
    note = models.CharField(max_length=300, blank=True)
    proposed_by = models.CharField(max_length=300, blank=True)
    proposed_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=300, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    adjustment = models.OneToOneField(
        Entry, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(db_default=Now(), help_text="When it was last still there.")

    objects: ClassVar[DriftQuerySet] = DriftQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        permissions = [
            ("propose_drift", "May propose how a difference is settled"),
            ("resolve_drift", "May settle a difference that somebody else has explained"),
        ]
        constraints = [
            finite("difference", name="ledger_drift_difference"),
            models.CheckConstraint(
                condition=Q(state__in=DriftState.values) & Q(kind__in=DriftKind.values),
                name="ledger_drift_words",
            ),
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                condition=Q(state__in=sorted(UNSETTLED)),
                name="ledger_drift_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=DriftState.RESOLVED)
                | (~Q(resolved_by="") & ~Q(resolved_by=F("proposed_by"))),
                name="ledger_drift_two_persons",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.difference}"

    # Mutators

    def advance(self, to: DriftState, *, at: datetime, **changes: Any) -> None:
        """
        Make one move of the table and save it; the caller holds the row's lock.

        :raises ValueError: when the table has no such move.
        """
        if to not in DRIFT_MOVES[DriftState(self.state)]:
            raise ValueError(f"A drift cannot go from {self.state} to {to}.")
        self.state = to
        for name, value in changes.items():
            setattr(self, name, value)
        if to not in UNSETTLED:
            self.settled_at = at
        self.save()

    def forget_proposal(self, *, at: datetime) -> None:
        """Open it again without what somebody has proposed; the caller holds the row's lock."""
        self.advance(DriftState.OPEN, at=at, remedy="", note="", proposed_by="", proposed_at=None)


def books_of(account_id: UUID) -> EntryQuerySet:
    """Return every entry of one account."""
    return Entry.objects.filter(account_id=account_id)
