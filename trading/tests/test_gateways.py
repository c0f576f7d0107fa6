"""One contract for every broker, and how Alpaca's answers are read."""

from decimal import Decimal
from types import SimpleNamespace

import httpx
import pytest

from accounts.tests.factories import alpaca_data
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from trading import gateways
from trading.gateways import BrokerOrder, Unreadable, alpaca, bodies
from trading.gateways.fake import FakeBroker
from trading.states import OrderType, TimeInForce
from trading.tests.factories import bracket, buy, sell
from trading.tickets import Changes

KEYS = ("CKSANDBOX", "sandbox-secret")


@pytest.fixture(params=["fake", "sandbox"])
def desk(request, settings):
    """A broker and an active account with money at it."""
    if request.param == "fake":
        fake = FakeBroker()
        return SimpleNamespace(
            broker=fake, account="fake-account", come_to_work=lambda: come_to_work(fake)
        )
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
    return SimpleNamespace(
        broker=alpaca.AlpacaBroker(), account=account, come_to_work=lambda: sandbox.advance(2)
    )


def come_to_work(fake):
    for client_order_id, order in list(fake.orders.items()):
        if order.status == "pending_new":
            fake.move(client_order_id, "new")


def submit(desk, ticket, client_order_id="ours-1"):
    return desk.broker.submit(
        ticket, broker_account_id=desk.account, client_order_id=client_order_id
    )


def find(desk, client_order_id="ours-1"):
    return desk.broker.find(broker_account_id=desk.account, client_order_id=client_order_id)


def get(desk, order):
    return desk.broker.get(broker_account_id=desk.account, broker_order_id=order.broker_order_id)


def replace(desk, order, client_order_id="ours-2", **changes):
    return desk.broker.replace(
        Changes(**changes),
        broker_account_id=desk.account,
        broker_order_id=order.broker_order_id,
        client_order_id=client_order_id,
    )


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

    def test_puts_a_changed_order_in_the_place_of_an_open_one(self, desk):
        old = submit(desk, buy(quantity="2", limit_price="1.00"))
        desk.come_to_work()

        new = replace(desk, old, limit_price=Decimal("1.05"))
        desk.come_to_work()

        assert (new.client_order_id, new.quantity, new.limit_price) == (
            "ours-2",
            Decimal(2),
            Decimal("1.05"),
        )
        assert new.replaces == old.broker_order_id
        assert find(desk, "ours-2").broker_order_id == new.broker_order_id
        before = get(desk, old)
        assert (before.status, before.replaced_by) == ("replaced", new.broker_order_id)

    def test_does_not_replace_twice_nor_what_is_over(self, desk):
        old = submit(desk, buy(quantity="2", limit_price="1.00"))
        desk.come_to_work()
        new = replace(desk, old, quantity=Decimal(3))
        desk.come_to_work()

        with pytest.raises(VendorUnclear):  # the id is known already
            replace(desk, new, quantity=Decimal(4))
        with pytest.raises(VendorRejected):
            replace(desk, old, "ours-3", quantity=Decimal(4))

    def test_knows_an_order_by_its_own_id(self, desk):
        order = submit(desk, buy(quantity="1", limit_price="1.00"))

        assert get(desk, order).client_order_id == "ours-1"
        missing = desk.broker.get(
            broker_account_id=desk.account, broker_order_id="61e69015-8549-4bfd-b9c3-01e75843f47d"
        )
        assert missing is None

    def test_makes_the_exits_of_a_bracket(self, desk):
        entry = submit(desk, bracket("2"))

        profit, loss = entry.legs
        assert (entry.order_class, profit.side, loss.side) == ("bracket", "sell", "sell")
        assert (profit.limit_price, loss.stop_price) == (Decimal(120), Decimal(90))
        assert {leg.status for leg in entry.legs} == {"held"}
        assert len({entry.broker_order_id, profit.broker_order_id, loss.broker_order_id}) == 3
        assert [leg.broker_order_id for leg in find(desk).legs] == [
            leg.broker_order_id for leg in entry.legs
        ]

    def test_counts_the_money(self, desk):
        cash = desk.broker.get_cash(broker_account_id=desk.account)

        assert (cash.cash, cash.buying_power, cash.currency) == (1000, 1000, "USD")
        assert desk.broker.list_positions(broker_account_id=desk.account) == []


class TestWhatAlpacaIsSent:
    def test_is_text_in_its_own_words(self):
        assert bodies.of_ticket(buy(notional="100.5"), "id-1") == {
            "symbol": "AAPL",
            "side": "buy",
            "type": "market",
            "time_in_force": "day",
            "client_order_id": "id-1",
            "notional": "100.50",
        }
        body = bodies.of_ticket(sell(quantity="0.000000001", limit_price="187.13"), "id-2")
        assert (body["qty"], body["limit_price"], body["type"]) == (
            "0.000000001",
            "187.13",
            "limit",
        )

    def test_names_what_each_kind_of_order_needs(self):
        stop = sell(quantity="1", stop_price="90.5", order_type=OrderType.STOP)
        trailing = sell(quantity="1", trail_percent="2.5", order_type=OrderType.TRAILING_STOP)
        early = buy(quantity="1", limit_price="9.99", extended_hours=True)

        assert bodies.of_ticket(stop, "id")["stop_price"] == "90.50"
        assert bodies.of_ticket(trailing, "id")["trail_percent"] == "2.50"
        assert bodies.of_ticket(trailing, "id")["type"] == "trailing_stop"
        assert bodies.of_ticket(early, "id")["extended_hours"] is True

    def test_hangs_the_exits_on_their_entry(self):
        body = bodies.of_ticket(bracket(stop_loss_limit_price="89.9"), "id")

        assert (body["order_class"], body["take_profit"], body["stop_loss"]) == (
            "bracket",
            {"limit_price": "120.00"},
            {"stop_price": "90.00", "limit_price": "89.90"},
        )

    def test_names_of_a_replacement_only_what_changes(self):
        changes = Changes(quantity=Decimal(3), trail=Decimal("1.5"), time_in_force=TimeInForce.GTC)

        assert bodies.of_changes(changes, "id-2") == {
            "client_order_id": "id-2",
            "qty": "3",
            "trail": "1.50",
            "time_in_force": "gtc",
        }

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
            quantity=Decimal("2.5"),
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
