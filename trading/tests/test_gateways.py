"""One contract for every broker, and how Alpaca's answers are read."""

from decimal import Decimal
from types import SimpleNamespace

import httpx
import pytest

from accounts.tests.factories import alpaca_data
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from trading import gateways
from trading.gateways import BrokerOrder, Unreadable, alpaca
from trading.gateways.fake import FakeBroker
from trading.tests.factories import buy, sell

KEYS = ("CKSANDBOX", "sandbox-secret")


@pytest.fixture(params=["fake", "sandbox"])
def desk(request, settings):
    """A broker and an active account with money at it."""
    if request.param == "fake":
        return SimpleNamespace(broker=FakeBroker(), account="fake-account")
    sandbox = request.getfixturevalue("running_sandbox")
    sandbox.reset()
    sandbox.point(settings)
    answer = httpx.post(
        f"{sandbox.url}/alpaca/broker/v1/accounts",
        json=alpaca_data(),
        auth=KEYS,
        trust_env=False,
    )
    account = answer.json()["id"]
    sandbox.advance(5)
    sandbox.control("POST", f"/accounts/{account}/seed", {"cash": "1000", "months": 1})
    return SimpleNamespace(broker=alpaca.AlpacaBroker(), account=account)


def submit(desk, ticket, client_order_id="ours-1"):
    return desk.broker.submit(
        ticket, broker_account_id=desk.account, client_order_id=client_order_id
    )


def find(desk, client_order_id="ours-1"):
    return desk.broker.find(broker_account_id=desk.account, client_order_id=client_order_id)


@pytest.mark.django_db
class TestAnyBroker:
    def test_takes_an_order_and_knows_it_by_our_id(self, desk):
        taken = submit(desk, buy(notional="10.50"))

        found = find(desk)
        assert (taken.client_order_id, taken.filled_quantity) == ("ours-1", Decimal(0))
        assert found is not None
        assert found.broker_order_id == taken.broker_order_id
        listed = desk.broker.list_orders(broker_account_id=desk.account)
        assert [order.broker_order_id for order in listed] == [taken.broker_order_id]

    def test_has_never_heard_of_what_was_not_sent(self, desk):
        assert find(desk) is None

    def test_does_not_take_an_id_twice_and_does_not_call_it_a_no(self, desk):
        submit(desk, buy(notional="10"))

        with pytest.raises(VendorUnclear):
            submit(desk, buy(notional="10"))
        assert len(desk.broker.list_orders(broker_account_id=desk.account)) == 1

    def test_cancels_what_is_open_only(self, desk):
        order = submit(desk, buy(quantity="1", limit_price="1.00"))

        desk.broker.cancel(broker_account_id=desk.account, broker_order_id=order.broker_order_id)
        with pytest.raises(VendorRejected):
            desk.broker.cancel(broker_account_id=desk.account, broker_order_id="no-such-order")

    def test_counts_the_money(self, desk):
        cash = desk.broker.get_cash(broker_account_id=desk.account)

        assert (cash.cash, cash.buying_power, cash.currency) == (1000, 1000, "USD")
        assert desk.broker.list_positions(broker_account_id=desk.account) == []


class TestWhatAlpacaIsSent:
    def test_is_text_in_its_own_words(self):
        assert alpaca._body(buy(notional="100.5"), "id-1") == {
            "symbol": "AAPL",
            "side": "buy",
            "type": "market",
            "time_in_force": "day",
            "client_order_id": "id-1",
            "notional": "100.50",
        }
        body = alpaca._body(sell(quantity="0.000000001", limit_price="187.13"), "id-2")
        assert (body["qty"], body["limit_price"], body["type"]) == (
            "0.000000001",
            "187.13",
            "limit",
        )

    def test_never_leaves_the_account_it_names(self):
        assert alpaca._path("../../accounts", "/orders") == (
            "/v1/trading/accounts/..%2F..%2Faccounts/orders"
        )


ORDER = {"id": "o-1", "client_order_id": "c-1", "status": "filled", "filled_qty": "2"}


class TestWhatAlpacaSays:
    def test_of_an_order_is_exact(self):
        order = alpaca._order({**ORDER, "filled_avg_price": "187.1234567", "qty": Decimal("2.5")})

        assert order == BrokerOrder(
            broker_order_id="o-1",
            client_order_id="c-1",
            status="filled",
            filled_quantity=Decimal(2),
            average_price=Decimal("187.1234567"),
            record={**ORDER, "filled_avg_price": "187.1234567", "qty": "2.5"},
        )

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            [],
            "accepted",
            {},
            {"id": "o-1"},
            {"status": "new"},
            {**ORDER, "filled_qty": "NaN"},
            {**ORDER, "filled_qty": True},
            {**ORDER, "filled_qty": "two"},
            {**ORDER, "filled_avg_price": "Infinity"},
        ],
    )
    def test_unreadably_is_as_good_as_nothing(self, answer):
        with pytest.raises(VendorUnclear):
            alpaca._trusted(answer, VendorUnclear)
        with pytest.raises(VendorUnavailable):
            alpaca._trusted(answer, VendorUnavailable)

    def test_of_a_fill_has_its_figures(self):
        news = alpaca.read_news(
            {
                "event": "partial_fill",
                "event_id": "01KE6Z3M5Q0000000000000002",
                "account_id": "a-1",
                "at": "2026-01-05T14:30:00.2Z",
                "order": ORDER,
                "execution_id": "x-1",
                "price": "187.12",
                "qty": "1",
                "position_qty": "3",
            }
        )

        assert (news.is_fill, news.is_correction, news.execution_id) == (True, False, "x-1")
        assert (news.price, news.quantity) == (Decimal("187.12"), Decimal(1))
        assert news.at.isoformat() == "2026-01-05T14:30:00.200000+00:00"

    @pytest.mark.parametrize(
        "payload",
        [
            {},
            {"event": "fill"},
            {"event": "fill", "account_id": "a", "at": "2026-01-05T14:30:00Z", "order": {}},
            {"event": "fill", "account_id": "a", "at": "yesterday", "order": ORDER},
            {"event": "fill", "account_id": "a", "at": "0001-01-01T00:00:00+14:00", "order": ORDER},
            {"event": "fill", "account_id": "a", "order": ORDER},
        ],
    )
    def test_that_is_no_event_is_said_so(self, payload):
        with pytest.raises(Unreadable):
            alpaca.read_news(payload)


class TestTheSeam:
    def test_gives_the_real_broker_back(self):
        real = gateways.get_broker()
        with gateways.use(FakeBroker()) as _:
            assert isinstance(gateways.get_broker(), FakeBroker)

        assert gateways.get_broker() is real
        assert isinstance(real, alpaca.AlpacaBroker)
