"""What an order would do: figures and warnings, and nothing that stays."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.errors import Invalid, NotFound
from core.ids import new_id
from ledger.tests.factories import entries_of
from trading import risk, services
from trading.services.lot_choices import LotsNotThere
from trading.tests.conftest import client_of
from trading.tests.factories import (
    BOB,
    buy,
    customer,
    fund,
    new_account,
    orders_of,
    sell,
    set_price,
)
from trading.tickets import LotChoice

pytestmark = pytest.mark.django_db


@pytest.fixture
def preview(account, broker):
    def preview(ticket, *, account=account, principal=None):
        return services.preview_order(
            principal=principal or customer(account.user_id),
            account_id=account.pk,
            ticket=ticket,
            at=datetime.now(UTC),
        )

    return preview


def test_a_purchase_says_what_it_costs_and_leaves(preview, account):
    fund(account, positions={"AAPL": "2"})

    shown = preview(buy(quantity="3"))

    assert (shown.price, shown.quantity) == (Decimal(100), Decimal(3))
    assert (shown.cost, shown.proceeds) == (Decimal("300.00"), None)
    assert (shown.buying_power_before, shown.buying_power_after) == (1000, 700)
    assert (shown.position_before, shown.position_after) == (2, 5)
    assert shown.verdict.is_allowed


def test_dollars_are_turned_into_shares(preview):
    shown = preview(buy(notional="250.00"))

    assert (shown.cost, shown.quantity) == (Decimal("250.00"), Decimal("2.5"))
    assert shown.position_after == Decimal("2.5")


def test_a_sale_says_what_it_brings(preview, account):
    fund(account, positions={"AAPL": "2"})

    shown = preview(sell(quantity="0.333333333"))

    assert (shown.cost, shown.proceeds) == (None, Decimal("33.33"))
    assert shown.buying_power_after == Decimal("1033.33")
    assert shown.position_after == Decimal("1.666666667")


def test_what_would_be_refused_is_shown_with_the_reason(preview):
    shown = preview(buy(notional="1000.01"))

    assert (shown.verdict.is_allowed, shown.verdict.rule) == (False, "insufficient_buying_power")
    assert shown.buying_power_after == Decimal("-0.01")


def test_warnings_are_those_of_the_verdict(preview):
    shown = preview(buy(notional="900.00"))

    assert shown.warnings == shown.verdict.warnings
    assert any("90%" in sentence for sentence in shown.warnings)


def test_it_leaves_nothing_behind(preview, account, broker):
    preview(buy(notional="10.00"))

    assert (orders_of(account), entries_of(account), broker.submitted) == ([], [], [])


def test_holdings_that_nobody_has_read_are_read(preview, broker):
    shown = preview(buy(notional="10.00"), account=new_account(BOB))

    assert (shown.buying_power_before, broker.readings) == (Decimal(1000), 1)


def test_what_makes_no_sense_or_has_no_price_is_refused(preview, apple):
    with pytest.raises(Invalid):
        preview(replace(buy(quantity="1"), stop_price=Decimal(5)))

    set_price(apple, "100.00", at=datetime(2026, 1, 5, tzinfo=UTC))
    with pytest.raises(risk.PriceStale):
        preview(buy(quantity="1"))


@pytest.mark.parametrize(
    "ticket",
    [
        buy(quantity="999999999999", limit_price="999999999999"),
        sell(quantity="999999999999", limit_price="999999999999"),
        sell(notional="999999999999.99", limit_price="0.0001"),
    ],
)
def test_what_is_beyond_all_money_is_refused_without_figures(preview, account, ticket):
    answer = client_of(customer()).post(
        f"/api/account/{account.pk}/orders/preview", asked(ticket), format="json"
    )

    assert answer.status_code == 200, answer.content
    assert not answer.json()["verdict"]["allowed"]


def asked(ticket):
    size = {"qty": ticket.quantity} if ticket.notional is None else {"notional": ticket.notional}
    return {
        "symbol": ticket.symbol,
        "side": ticket.side.lower(),
        "type": ticket.order_type.lower(),
        "limit_price": str(ticket.limit_price),
        **{name: str(value) for name, value in size.items()},
    }


def test_nobody_is_told_of_too_little_on_old_knowledge(preview, broker):
    broker.cash = Decimal(5000)

    shown = preview(buy(notional="4000.00"))

    assert (shown.verdict.is_allowed, shown.buying_power_before) == (True, Decimal(5000))


def test_lots_that_are_not_there_are_refused_as_the_order_would_be(preview, account):
    fund(account, positions={"AAPL": "2"})
    lots = (LotChoice(lot_id=new_id(), quantity=Decimal(1)),)

    with pytest.raises(LotsNotThere):
        preview(sell(quantity="1", lots=lots))


def test_an_account_of_somebody_else_is_not_found(preview):
    with pytest.raises(NotFound):
        preview(buy(quantity="1"), principal=customer(BOB))
