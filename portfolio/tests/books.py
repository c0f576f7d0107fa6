"""A book of accounts of every sort for the tests of the whole of it, and what is kept of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.apps import apps

from core.auth import SYSTEM, acting_as
from market.facts import new_york_date
from portfolio import services
from portfolio.models import Valuation
from trading.tests import factories as trading

NAMES = (
    "long", "cash", "short", "margin", "contracts", "traded", "unlisted", "sold out", "never read",
)  # fmt: skip
WORTH = {
    "long": ("1300.00", "3.00"),
    "cash": ("0.07", "0.00"),
    "short": ("250.00", "-2.50"),
    "margin": ("-150.25", "1.00"),
    "contracts": ("-650.00", "-149.00"),
    "traded": ("510.00", "6.00"),
    "unlisted": (None, None),
    "sold out": ("10.00", "8.00"),
}


def session(closed):
    """Have today's session end so long ago."""
    now = datetime.now(UTC)
    return apps.get_model("market", "TradingDay").objects.create(
        date=new_york_date(now), opens_at=now - timedelta(hours=7), closes_at=now - closed
    )


def make_book():
    """Accounts of every sort, by what is special about them."""
    made = {name: trading.new_account(f"{name}-sub") for name in NAMES}
    trading.fund(made["long"], cash="1000.00", positions={"AAPL": "3"})
    trading.fund(made["cash"], cash="0.07")
    trading.fund(made["short"], cash="500.00", positions={"AAPL": "-2.5"})
    trading.fund(made["margin"], cash="-250.25", positions={"AAPL": "1.000000001"})
    trading.fund(made["contracts"], cash="0.00", positions={"CONTRACT": "-3", "AAPL": "1"})
    trading.fund(made["traded"], cash="10.00", positions={"AAPL": "5"})
    trading.fund(made["unlisted"], cash="10.00", positions={"AAPL": "1", "NOBODY": "1"})
    trading.fund(made["sold out"], cash="10.00")
    with acting_as(SYSTEM):
        fill(made["traded"], "BUY", "2", "98.50")
        fill(made["traded"], "BUY", "9", "98.50", is_busted=True)
        fill(made["sold out"], "SELL", "4", "101.00")
        fill(made["sold out"], "SELL", "1", "150.00", at=datetime.now(UTC) - timedelta(days=2))
    return made


def fill(account, side, quantity, price, *, at=None, is_busted=False):
    order = apps.get_model("trading", "Order").objects.create(
        user_id=account.user_id,
        account=account,
        broker_account_id=account.broker_account_id,
        symbol="AAPL",
        side=side,
        order_type="MARKET",
        time_in_force="DAY",
        quantity=Decimal(quantity),
        placed_by="customer:one",
    )
    apps.get_model("trading", "Execution").objects.create(
        user_id=account.user_id,
        order=order,
        account=account,
        execution_id=str(uuid4()),
        symbol="AAPL",
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        at=at or datetime.now(UTC),
        is_busted=is_busted,
    )


def kept():
    with acting_as(SYSTEM):
        return {row.account_id: row for row in Valuation.objects.all()}


def shown(book):
    rows = kept()
    return {
        name: tuple(None if v is None else str(v) for v in (row.total_value, row.day_return))
        for name, account in book.items()
        if (row := rows.get(account.pk))
    }


def value():
    return services.value_book(at=datetime.now(UTC))
