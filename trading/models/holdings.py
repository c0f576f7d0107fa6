"""What accounts hold: positions and cash, and the version of both."""

from decimal import Decimal

from django.db import models

from core.clock import Now
from core.db.columns import MoneyColumn, PriceColumn, QuantityColumn, finite
from core.ids import new_id
from core.models import CustomerOwned
from core.money import Money, Price, Quantity
from trading.models.orders import ACCOUNT

ZERO = Decimal(0)


class Position(CustomerOwned):
    """What an account holds of one symbol, as the broker last told or a fill has just changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    symbol = models.CharField(max_length=32)
    asset_id = models.CharField(max_length=64, blank=True)
    asset_class = models.CharField(max_length=32, blank=True)
    exchange = models.CharField(max_length=32, blank=True)
    quantity = QuantityColumn()
    available_quantity = QuantityColumn()
    average_entry_price = PriceColumn()
    cost_basis = models.DecimalField(max_digits=24, decimal_places=9)
    is_marginable = models.BooleanField(null=True, blank=True)
    previous_close = PriceColumn(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "symbol"], name="trading_position_once"),
            finite("quantity", name="trading_position_quantity"),
            finite("available_quantity", name="trading_position_available"),
            finite("cost_basis", name="trading_position_cost_basis"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.quantity}"

    # Mutators

    def book(
        self,
        *,
        is_buy: bool,
        quantity: Decimal,
        price: Decimal,
        multiplier: Decimal,
        was_held_back: bool,
    ) -> None:
        """
        Move by one fill; a purchase moves the average price, a sale does not.

        The average is of what prices are told for, of which each share or contract stands for
        `multiplier`; the cost is of all. `was_held_back` says that the shares sold are already
        missing from what is available.
        """
        amount = (Quantity(quantity) * Price(price)).times(multiplier).to_nine_places()
        if is_buy:
            self.quantity += quantity
            self.available_quantity += quantity
            self.cost_basis += amount
            if self.quantity > 0:
                self.average_entry_price = round(self.cost_basis / (self.quantity * multiplier), 9)
        else:
            self.quantity -= quantity
            if not was_held_back:
                self.available_quantity -= quantity
            self.cost_basis = round(self.average_entry_price * self.quantity * multiplier, 9)
        self.updated_at = Now()

    def take_back(
        self, *, is_buy: bool, quantity: Decimal, value: Decimal, multiplier: Decimal
    ) -> None:
        """Undo so many shares of a purchase or a sale that were worth so much."""
        change = -quantity if is_buy else quantity
        self.quantity += change
        self.available_quantity += change
        if is_buy:
            self.cost_basis = round(self.cost_basis - value, 9)
            if self.quantity > 0:
                cost, all_of_it = max(self.cost_basis, ZERO), self.quantity * multiplier
                self.average_entry_price = round(cost / all_of_it, 9)
        else:
            self.cost_basis = round(self.average_entry_price * self.quantity * multiplier, 9)
        self.updated_at = Now()


class CashBalance(CustomerOwned):
    """
    What an account has to spend, and the version of everything stored about its holdings.

    Every change of positions or cash raises `version`. A reading of the broker is stored only if
    the version is still what it was before the reading, so an old reading never wins.
    """

    account = models.OneToOneField(
        ACCOUNT, on_delete=models.PROTECT, related_name="+", primary_key=True
    )
    cash = MoneyColumn()
    buying_power = MoneyColumn()
    withdrawable = MoneyColumn(null=True, blank=True)
    currency = models.CharField(max_length=8, default="USD")
    version = models.BigIntegerField(default=1)
    fetched_at = models.DateTimeField(help_text="When the broker was last read.")
    changed_at = models.DateTimeField(db_default=Now())
    lots_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when its lots contain all that it holds."
    )

    class Meta:
        constraints = [
            finite("cash", name="trading_cash_cash"),
            finite("buying_power", name="trading_cash_buying_power"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}"

    # Mutators

    def book(
        self,
        *,
        is_buy: bool,
        quantity: Decimal,
        price: Decimal,
        multiplier: Decimal,
        was_reserved: bool,
    ) -> None:
        """
        Move by one fill and save.

        `was_reserved` says that the stored buying power does not contain the order yet.
        """
        amount = (Quantity(quantity) * Price(price)).times(multiplier).to_money().amount
        if is_buy:
            self.cash -= amount
            if was_reserved:
                self.buying_power -= amount
        else:
            self.cash += amount
            self.buying_power += amount
        self.touch()

    def take_back(self, *, is_buy: bool, value: Decimal) -> None:
        """Undo a purchase or a sale that was worth so much, and save."""
        amount = Money.rounded(value if is_buy else -value).amount
        self.cash += amount
        self.buying_power += amount
        self.touch()

    def touch(self) -> None:
        """Raise the version and save what moves with fills."""
        self.version += 1
        self.changed_at = Now()
        self.save(update_fields=["cash", "buying_power", "version", "changed_at"])
