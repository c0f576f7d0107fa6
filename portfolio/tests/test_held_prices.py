from datetime import UTC, datetime

import pytest
from django.apps import apps

from core.auth import SYSTEM, acting_as
from market import selectors as market
from portfolio import tasks
from trading.tests import factories

pytestmark = pytest.mark.django_db


def test_all_that_some_account_holds_is_followed_and_no_more():
    first, second = factories.new_account(), factories.new_account("bob-sub")
    factories.fund(first, positions={"AAPL": "2", "MSFT": "0.5"})
    factories.fund(second, positions={"AAPL": "1", "BTC/USD": "0.01"})

    tasks.want_held_prices()
    assert market.list_wanted(at=datetime.now(UTC)) == {"AAPL", "BTC/USD", "MSFT"}

    with acting_as(SYSTEM):
        apps.get_model("trading", "Position").objects.filter(symbol="MSFT").delete()
    tasks.want_held_prices()
    assert market.list_wanted(at=datetime.now(UTC)) == {"AAPL", "BTC/USD"}


def test_a_symbol_that_is_too_long_costs_the_others_nothing():
    account = factories.new_account()
    factories.fund(account, positions={"A" * 25: "2", "MSFT": "1"})

    tasks.want_held_prices()

    assert market.list_wanted(at=datetime.now(UTC)) == {"MSFT"}
