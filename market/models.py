"""What can be bought, and which prices somebody wants to follow."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Func
from django.db.models.functions import Now

from core.db.columns import BEYOND
from core.ids import new_id
from market.facts import Asset

# Nobody tells again of a halt that has ended while we were not listening.
HALT_LASTS: Final = timedelta(hours=24)
# Our clock and the exchange's differ, and so may the times of a halt and of the trades before it.
HALT_SLACK: Final = timedelta(seconds=5)
_VENDOR_FIELDS = (
    "name",
    "exchange",
    "asset_class",
    "status",
    "tradable",
    "fractionable",
    "broker_asset_id",
)


class NextNumber(Func):
    """The next small number of an instrument; numbers are never given twice."""

    template = "nextval('market_instrument_numbers')"
    output_field: ClassVar = models.IntegerField()


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    def keep(self, assets: Iterable[Asset]) -> int:
        """
        Take over what the broker says about these assets, and say how many rows that changed.

        An upsert would be shorter, but it draws a number for every row that exists already.
        """
        told = {asset.symbol: asset for asset in assets}
        known = {row.symbol: row for row in self.filter(symbol__in=told)}
        changed = [row for row in known.values() if row.take_over(told[row.symbol])]
        self.bulk_update(changed, [*_VENDOR_FIELDS, "updated_at"], batch_size=1000)
        new = [Instrument.from_asset(asset) for asset in told.values() if asset.symbol not in known]
        self.bulk_create(new, ignore_conflicts=True, batch_size=1000)
        return len(changed) + len(new)


class Instrument(models.Model):
    """A share, fund or coin. `number` is small and stays the same: an index into price vectors."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.IntegerField(unique=True, editable=False, db_default=NextNumber())
    symbol = models.CharField(max_length=24, unique=True)
    name = models.CharField(max_length=255, blank=True)
    exchange = models.CharField(max_length=32, blank=True)
    asset_class = models.CharField(max_length=32, blank=True)
    status = models.CharField(max_length=32, blank=True)
    tradable = models.BooleanField(default=False)
    fractionable = models.BooleanField(default=False)
    multiplier = models.DecimalField(
        max_digits=12,
        decimal_places=4,
        default=1,
        help_text="What one contract stands for; 1 for shares and coins.",
    )
    halted_at = models.DateTimeField(
        null=True, blank=True, help_text="When the exchange has last stopped its trading."
    )
    broker_asset_id = models.CharField(max_length=64, blank=True, db_index=True)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ["symbol"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(number__gte=0), name="market_instrument_number_is_an_index"
            ),
            models.CheckConstraint(
                condition=models.Q(multiplier__gt=0, multiplier__lt=BEYOND),
                name="market_instrument_multiplier_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.symbol

    # Factories

    @classmethod
    def from_asset(cls, asset: Asset) -> Self:
        """Describe a new instrument as the broker does."""
        return cls(symbol=asset.symbol, **{name: getattr(asset, name) for name in _VENDOR_FIELDS})

    # Mutators

    def take_over(self, asset: Asset) -> bool:
        """Copy what the broker says, unsaved; false when it says nothing new."""
        changes = {
            name: getattr(asset, name)
            for name in _VENDOR_FIELDS
            if getattr(asset, name) != getattr(self, name)
        }
        for name, value in changes.items():
            setattr(self, name, value)
        if changes:
            self.updated_at = Now()
        return bool(changes)

    # Queries

    def is_halted(self, *, at: datetime, traded_at: datetime | None = None) -> bool:
        """
        Say whether its trading is stopped, as far as anybody has told.

        The word that it goes on may be missed: a trade since then, or a day gone by, says so, too.
        """
        if self.halted_at is None or at >= self.halted_at + HALT_LASTS:
            return False
        return traded_at is None or traded_at <= self.halted_at + HALT_SLACK


class WantedSymbol(models.Model):
    """Somebody (`reason`) wants to see this symbol's price move, for a while."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reason = models.CharField(max_length=100)
    symbol = models.CharField(max_length=24)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reason", "symbol"], name="market_wanted_once"),
        ]
        indexes = [models.Index(fields=["until"], name="market_wanted_until")]

    def __str__(self) -> str:
        return f"{self.symbol} for {self.reason}"

    # Queries

    @classmethod
    def symbols_at(cls, at: datetime) -> set[str]:
        """List what anybody wants now."""
        return set(cls.objects.filter(until__gt=at).values_list("symbol", flat=True).distinct())


class TradingDay(models.Model):
    """A day of the broker's calendar: when its session opens and closes, when its trades settle."""

    date = models.DateField(primary_key=True)
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    settles_on = models.DateField(null=True, blank=True)
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["date"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(closes_at__gt=models.F("opens_at")),
                name="market_day_closes_after_it_opens",
            ),
        ]

    def __str__(self) -> str:
        return self.date.isoformat()
