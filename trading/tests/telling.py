"""Telling of orders, and asking what the cash ledger then has of them."""

from datetime import UTC, datetime
from decimal import Decimal

from core import inbox
from core.auth import SYSTEM, acting_as
from ledger import selectors as ledger
from ledger import services as ledger_services
from ledger.states import EntryKind, WitnessKind
from ledger.tests import invariants as ledger_invariants
from trading import services
from trading.services import news

HUNDRED = Decimal(100)


def now():
    return datetime.now(UTC)


def tell(*events):
    for event in events:
        inbox.receive(news.SOURCE, event["event_ulid"], event)
    return services.apply_events()


def held(order):
    return ledger_invariants.open_holds().get(order.pk, Decimal(0))


def cash(account):
    """All of it and what is free, since nothing; the ledger begins empty here."""
    with acting_as(SYSTEM):
        found = ledger.cash_of(account_id=account.pk)
    return found.total, found.available


def books_tell(account, order, *, quantity, cumulative, price="100"):
    """Post a line of the broker's books, as a reading of these does."""
    with acting_as(SYSTEM):
        return ledger_services.post(
            ledger_services.Movement(
                account_id=account.pk,
                kind=EntryKind.PURCHASE if order.is_buy else EntryKind.SALE,
                cash=Decimal(quantity) * Decimal(price) * (-1 if order.is_buy else 1),
                occurred_at=now(),
                told_by=WitnessKind.ACTIVITY,
                external_id=f"activity:{order.pk}:{cumulative}",
                natural_key=ledger_services.fill_key(order.broker_order_id, Decimal(cumulative)),
                quantity=Decimal(quantity),
            )
        )


def witnesses(account):
    """Who has told of each entry that moves cash, the oldest first."""
    with acting_as(SYSTEM):
        entries = ledger.books_of(account.pk).moving_cash().order_by("recorded_at", "id")
        return [sorted(w.kind for w in entry.witnesses.all()) for entry in entries]


def event(told, kind, number, **changes):
    """Tell something else about the order of an event."""
    ulid = f"01KE6Z3M5QZZZZZZZZZZZZZZ{number:02d}"
    return {**told, "event": kind, "event_ulid": ulid, **changes}
