"""What an order may cost cannot be withdrawn as well, until the order is over."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from accounts.tests.factories import customer
from core import inbox
from core.feeds import VendorEvent
from ledger.tests import agreement
from ledger.tests import invariants as ledger_invariants
from tests.money import people
from trading import services as trading
from trading.gateways import get_broker
from trading.services import news
from trading.tests import factories as trading_factories

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ada(sandbox, lasting_issuer):
    ada = people.open_account(sandbox, lasting_issuer, "ada", cash="1000")
    trading_factories.new_instrument("AAPL", price="100.00")
    trading.sync_holdings(account_id=ada.account.pk, at=datetime.now(UTC))
    agreement.check_all()  # only a ledger that has the whole past refuses anything
    return ada


@pytest.fixture
def client(ada):
    client = APIClient()
    client.force_authenticate(user=customer(ada.user_id))
    return client


def keep_events():
    """Read the broker's stream up to its first pause, as the follower does."""
    pauses = 0
    with get_broker().trade_feed().open(inbox.position_of(news.SOURCE)) as opened:
        for item in opened:
            if isinstance(item, VendorEvent):
                inbox.receive(news.SOURCE, item.position, item.payload, cursor=item.position)
            pauses += item is None
            if pauses == 2:  # the first is the greeting
                break
    trading.apply_events()


def withdraw(client, ada, amount):
    body = ada.transfer(amount, direction="OUTGOING")
    return client.post("/initiate-ach-transfer", body, format="json")


def test_money_for_an_order_is_not_there_to_be_withdrawn(client, sandbox, ada):
    resting = ada.trade(units="8", order_type="LIMIT", limit_price="95.00")
    order = client.post("/api/trade", resting, format="json").json()["order"]

    refused = withdraw(client, ada, "240.01")

    assert (refused.status_code, refused.json()["code"]) == (422, "insufficient_cash")
    assert list(refused.json()["field_errors"]) == ["amount"]
    assert sandbox.effects("transfer.created") == []

    client.delete(f"/api/portfolio/{ada.account.pk}/orders/{order['id']}")
    sandbox.advance(2)
    keep_events()
    assert ledger_invariants.open_holds() == {}

    assert withdraw(client, ada, "240.01").status_code == 201
    ledger_invariants.check()


def test_what_an_order_did_not_need_may_be_withdrawn(client, sandbox, ada):
    client.post("/api/trade", ada.trade(notional_amount="700.00"), format="json")
    assert withdraw(client, ada, "300.01").status_code == 422

    sandbox.advance(2)
    keep_events()

    assert ledger_invariants.open_holds() == {}
    [cash] = agreement.check_all().values()
    more = withdraw(client, ada, str(cash + Decimal("0.01")))
    assert (more.status_code, more.json()["code"]) == (422, "insufficient_cash")
    assert withdraw(client, ada, str(cash)).status_code == 201
    ledger_invariants.check()
