"""Fills, each once by the broker's name of it, whatever becomes of them and whenever it is told."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog
from django.db.models import Sum

from trading.gateways import TradeNews
from trading.models import Execution, Order, VoidExecution
from trading.services import lots

logger = structlog.get_logger()
ZERO: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Correction:
    """
    What a correction does: which fills stand no longer, and what stands instead.

    `names` are those that the broker says are void, of which we may not have heard.
    """

    names: frozenset[str]
    void: tuple[Execution, ...] = ()
    instead: Execution | None = field(default=None)

    @property
    def quantity(self) -> Decimal:
        """Add up what is void of what stood."""
        return sum((each.quantity for each in self.void), ZERO)


def executed(order: Order) -> Decimal:
    """Add up the fills that stand."""
    standing = Execution.objects.filter(order=order, is_busted=False)
    total: Decimal | None = standing.aggregate(total=Sum("quantity"))["total"]
    return total or ZERO


def record(news: TradeNews, order: Order) -> Execution | None:
    """
    Keep the fill of an event, with the order locked; nothing when it is known or unreadable.

    One that was taken back before it was told is kept as what it is: void.
    """
    if not news.execution_id or not news.quantity or not news.price:
        logger.error("order.fill_unreadable", id=str(order.pk), event_id=news.event_id)
        return None
    known = Execution.objects.filter(execution_id=news.execution_id).first()
    if known is not None:
        _demand_same_order(known, order)
        return None
    is_void = order.is_corrected and _is_void(news.execution_id)
    if is_void:
        # What stands in its place was traded when it was.
        instead = Execution.objects.filter(order=order, corrects=news.execution_id)
        instead.update(at=_time_of(news))
    return _write(
        order,
        name=news.execution_id,
        quantity=news.quantity,
        price=news.price,
        at=_time_of(news),
        is_busted=is_void,
    )


def correct(news: TradeNews, order: Order) -> Correction | None:
    """
    Mark what an event says is void, and keep what stands instead, with the order locked.

    Nothing when all of it is known. What is void is remembered by its name, so that it stays so
    when it is told later.
    """
    names = _void_names(news)
    fresh = [name for name in sorted(names) if not _is_void(name)]
    VoidExecution.objects.bulk_create(
        VoidExecution(
            user_id=order.user_id, order=order, execution_id=name, event_id=news.event_id[:64]
        )
        for name in fresh
    )
    known = Execution.objects.filter(order=order, execution_id__in=names)
    void = tuple(known.filter(is_busted=False))
    Execution.objects.filter(pk__in=[each.pk for each in void]).update(is_busted=True)
    instead = _instead(news, order) if news.kind == "trade_correct" else None
    if not fresh and not void and instead is None:
        return None
    return Correction(names=names, void=void, instead=instead)


def _void_names(news: TradeNews) -> frozenset[str]:
    """
    Name the fills that stand no longer.

    A correction that names the one before it is a fill of its own; else it is its own new version.
    """
    if news.previous_execution_id:
        return frozenset({news.previous_execution_id})
    return frozenset({news.execution_id} - {""})


def _instead(news: TradeNews, order: Order) -> Execution | None:
    if not news.quantity or not news.price:
        logger.error("order.correction_unreadable", id=str(order.pk), event_id=news.event_id)
        return None
    old_name = news.previous_execution_id or news.execution_id
    name = news.execution_id
    if name == old_name:
        name = f"{name}:corrected"
    if Execution.objects.filter(execution_id=name).exists():
        return None
    old = Execution.objects.filter(order=order, execution_id=old_name).first()
    instead = _write(
        order,
        name=name,
        quantity=news.quantity,
        price=news.price,
        at=_time_of(news) if old is None else old.at,
        is_busted=_is_void(name),
        old_name=old_name,
        old=old,
    )
    return None if instead.is_busted else instead


def _write(
    order: Order,
    *,
    name: str,
    quantity: Decimal,
    price: Decimal,
    at: datetime,
    is_busted: bool,
    old_name: str = "",
    old: Execution | None = None,
) -> Execution:
    first = lots.lot_id_of(old_name or name)
    execution = Execution(
        order=order,
        account_id=order.account_id,
        user_id=order.user_id,
        execution_id=name,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        at=at,
        is_busted=is_busted,
        corrects=old_name,
        lot_id=first if old is None else old.lot_id or first,
        lot_method=lots.method_for(order) if old is None else old.lot_method,
    )
    execution.save(force_insert=True)
    return execution


def _time_of(news: TradeNews) -> datetime:
    return news.executed_at or news.at


def _is_void(name: str) -> bool:
    return VoidExecution.objects.filter(execution_id=name).exists()


def _demand_same_order(known: Execution, order: Order) -> None:
    if known.order_id != order.pk:
        logger.error(
            "order.execution_of_another", id=str(order.pk), execution_id=known.execution_id
        )
