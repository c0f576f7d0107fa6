"""What accounts were worth when a session had closed."""

from datetime import date, datetime

from django.db import models

from core.clock import Now
from core.db.columns import MoneyColumn, finite
from core.models import CustomerOwned
from portfolio.states import Kind, Source


class Valuation(CustomerOwned):
    """
    One account on one day. What could not be told is nothing, and never a guess.

    `at` is when it was valued, `as_of` when the newest of all prices was paid, and epoch and
    number name the frame by which they were known. What is complete is never written again.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.CLOSE)
    day = models.DateField(help_text="The calendar day of New York.")
    at = models.DateTimeField()
    total_value = MoneyColumn(null=True, blank=True)
    cash = MoneyColumn()
    day_return = MoneyColumn(null=True, blank=True)
    is_complete = models.BooleanField(help_text="Everything that it holds had a price.")
    as_of = models.DateTimeField(null=True, blank=True)
    epoch = models.CharField(max_length=48)
    seq = models.BigIntegerField()
    source = models.CharField(max_length=12, choices=Source.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "day", "kind"], name="portfolio_valuation_once"
            ),
            models.CheckConstraint(
                condition=models.Q(is_complete=True, total_value__isnull=False)
                | models.Q(is_complete=False, total_value=None, day_return=None),
                name="portfolio_valuation_whole_or_nothing",
            ),
            finite("total_value", name="portfolio_valuation_total"),
            finite("cash", name="portfolio_valuation_cash"),
            finite("day_return", name="portfolio_valuation_return"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} on {self.day}"


class BookValuation(models.Model):
    """That all accounts have been valued on a day, and how many of them could not be."""

    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.CLOSE)
    day = models.DateField()
    at = models.DateTimeField()
    finished_at = models.DateTimeField()
    account_count = models.BigIntegerField()
    incomplete_count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "kind"], name="portfolio_book_valued_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind}"

    # Factories

    @classmethod
    def finish(cls, day: date, *, at: datetime, accounts: int, incomplete: int) -> None:
        """Note that everybody was valued; whoever notes it again changes nothing."""
        made = BookValuation(
            day=day,
            at=at,
            finished_at=Now(),
            account_count=accounts,
            incomplete_count=incomplete,
        )
        BookValuation.objects.bulk_create([made], ignore_conflicts=True)

    # Queries

    @classmethod
    def is_done(cls, day: date, *, kind: Kind = Kind.CLOSE) -> bool:
        """Say whether all accounts were valued on a day."""
        return cls.objects.filter(day=day, kind=kind).exists()
