"""What a day leaves in an account's books: fills, and shares that moved without one."""

from datetime import UTC, datetime
from decimal import Decimal

from core.auth import SYSTEM, acting_as
from core.ids import new_id
from trading.models import CashBalance, Execution, Order, Position, ShareMovement
from trading.states import BasisSource, MovementKind


def clear(account):
    """Let nothing have happened to an account, and let it hold nothing."""
    with acting_as(SYSTEM):
        for model in (Execution, ShareMovement, Position):
            model.objects.filter(account_id=account.pk).delete()


def hold(account, *, cash, positions):
    """Let an account hold exactly this."""
    with acting_as(SYSTEM):
        CashBalance.objects.update_or_create(
            account_id=account.pk,
            defaults={
                "user_id": account.user_id,
                "cash": Decimal(cash),
                "buying_power": Decimal(cash),
                "fetched_at": datetime.now(UTC),
            },
        )
        Position.objects.filter(account_id=account.pk).delete()
        Position.objects.bulk_create(
            Position(
                account_id=account.pk,
                user_id=account.user_id,
                symbol=symbol,
                quantity=quantity,
                available_quantity=quantity,
                average_entry_price=Decimal(1),
                cost_basis=Decimal(1),
            )
            for symbol, quantity in positions.items()
            if quantity
        )


def close_told(account, close, *, read_at):
    """Let the broker have told this previous close of all that an account holds, some time ago."""
    with acting_as(SYSTEM):
        Position.objects.filter(account_id=account.pk).update(previous_close=close)
        CashBalance.objects.filter(pk=account.pk).update(fetched_at=read_at)


def fill(account, quantity, price, *, at, symbol="AAPL", is_busted=False):
    """Write a purchase down, or a sale of fewer than no shares."""
    with acting_as(SYSTEM):
        Execution.objects.create(
            user_id=account.user_id,
            order=_order(account, symbol),
            account_id=account.pk,
            execution_id=str(new_id()),
            symbol=symbol,
            side="BUY" if quantity > 0 else "SELL",
            quantity=abs(quantity),
            price=price,
            at=at,
            is_busted=is_busted,
        )


def move(account, kind, quantity, *, at, symbol="AAPL", cost=None, is_void=False):
    """Write down that shares came or went without a trade."""
    with acting_as(SYSTEM):
        ShareMovement.objects.create(
            user_id=account.user_id,
            account_id=account.pk,
            external_id=str(new_id()),
            kind=MovementKind(kind),
            symbol=symbol,
            quantity=quantity,
            cost=cost,
            basis_source=BasisSource.BROKER,
            at=at,
            is_void=is_void,
        )


def _order(account, symbol):
    found = Order.objects.filter(account_id=account.pk, symbol=symbol).first()
    return found or new_order(account, symbol)


def new_order(account, symbol):
    """Write an order down that the broker has filled, without any of what led there."""
    return Order.objects.create(
        user_id=account.user_id,
        account_id=account.pk,
        broker_account_id=account.broker_account_id,
        symbol=symbol,
        side="BUY",
        order_type="MARKET",
        time_in_force="DAY",
        quantity=Decimal(1),
        state="ACCEPTED",
        broker_order_id=str(new_id()),
        vendor_status="filled",
        placed_by="customer:test",
    )
