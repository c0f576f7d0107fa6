"""The real client of the vendor drives the pretend broker through a customer's whole life."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.enums import TransferDirection, TransferTiming
from alpaca.broker.requests import (
    CreateAccountRequest,
    CreateACHRelationshipRequest,
    CreateACHTransferRequest,
    CreatePlaidRelationshipRequest,
    GetAccountActivitiesRequest,
    GetEventsRequest,
    LimitOrderRequest,
    ListAccountsRequest,
    MarketOrderRequest,
)
from alpaca.common.exceptions import APIError
from alpaca.trading.enums import (
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.requests import (
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from sandbox.tests.conftest import Server
from sandbox.tests.customers import ROUTING_NUMBER, application, eventually


@pytest.fixture
def client(sandbox_server: Server) -> Iterator[BrokerClient]:
    key, secret = sandbox_server.auth
    client = BrokerClient(key, secret, url_override=sandbox_server.broker_url)
    yield client
    client._session.close()


@pytest.fixture
def account_id(client: Any) -> str:
    created = client.create_account(CreateAccountRequest(**application()))
    eventually(lambda: client.get_account_by_id(created.id).status == "ACTIVE")
    return str(created.id)


@pytest.fixture
def funded_id(client: Any, account_id: str) -> str:
    linked = client.create_ach_relationship_for_account(
        account_id, CreatePlaidRelationshipRequest(processor_token="processor-sandbox-1")
    )
    eventually(lambda: client.get_ach_relationships_for_account(account_id)[0].status == "APPROVED")
    transfer = CreateACHTransferRequest(
        amount="10000.00",
        direction=TransferDirection.INCOMING,
        timing=TransferTiming.IMMEDIATE,
        relationship_id=linked.id,
    )
    client.create_transfer_for_account(account_id, transfer)
    eventually(lambda: client.get_trade_account_by_id(account_id).cash == "10000")
    return account_id


def market(symbol: str, **size: Any) -> MarketOrderRequest:
    return MarketOrderRequest(
        symbol=symbol, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, **size
    )


class TestAccounts:
    def test_a_new_account_becomes_active_by_itself(self, client, account_id):
        account = client.get_account_by_id(account_id)

        assert account.status == "ACTIVE"
        assert account.identity.tax_id is None

    def test_an_account_is_found_by_its_email(self, client, account_id):
        email = client.get_account_by_id(account_id).contact.email_address

        found = client.list_accounts(ListAccountsRequest(query=email))

        assert [str(account.id) for account in found] == [account_id]

    def test_a_second_account_with_the_same_email_is_refused(self, client):
        client.create_account(CreateAccountRequest(**application("twice@example.com")))

        with pytest.raises(APIError) as refused:
            client.create_account(CreateAccountRequest(**application("Twice@Example.com")))

        assert refused.value.status_code == 409
        assert refused.value.code == 40910000

    def test_a_wrong_secret_is_refused(self, sandbox_server):
        stranger = BrokerClient("CKSANDBOX", "wrong", url_override=sandbox_server.broker_url)

        with pytest.raises(APIError) as refused:
            stranger.get_clock()
        stranger._session.close()

        assert refused.value.status_code == 403


class TestFunding:
    def test_a_bank_linked_by_numbers_is_approved_and_shows_only_four_digits(
        self, client, account_id
    ):
        client.create_ach_relationship_for_account(
            account_id,
            CreateACHRelationshipRequest(
                account_owner_name="Ada Stone",
                bank_account_type="CHECKING",
                bank_account_number="123456789",
                bank_routing_number=ROUTING_NUMBER,
            ),
        )
        eventually(
            lambda: client.get_ach_relationships_for_account(account_id)[0].status == "APPROVED"
        )

        [linked] = client.get_ach_relationships_for_account(account_id)
        assert linked.bank_account_number == "*****6789"

    def test_all_pages_of_transfers_end(self, client, funded_id):
        [linked] = client.get_ach_relationships_for_account(funded_id)
        for amount in ("10.00", "20.00"):
            client.create_transfer_for_account(
                funded_id,
                CreateACHTransferRequest(
                    amount=amount,
                    direction=TransferDirection.OUTGOING,
                    timing=TransferTiming.IMMEDIATE,
                    relationship_id=linked.id,
                ),
            )

        transfers = client.get_transfers_for_account(funded_id)

        assert sorted(transfer.amount for transfer in transfers) == ["10", "10000", "20"]

    def test_a_removed_bank_is_gone_from_the_list(self, client, funded_id):
        [linked] = client.get_ach_relationships_for_account(funded_id)

        client.delete_ach_relationship_for_account(funded_id, linked.id)

        assert client.get_ach_relationships_for_account(funded_id) == []


class TestTrading:
    def test_a_market_order_fills_into_a_position_at_the_average_paid(self, client, funded_id):
        order = client.submit_order_for_account(funded_id, market("AAPL", qty=Decimal("1.5")))
        eventually(
            lambda: client.get_order_for_account_by_id(funded_id, order.id).status == "filled"
        )

        filled = client.get_order_for_account_by_client_id(funded_id, order.client_order_id)
        [position] = client.get_all_positions_for_account(funded_id)
        account = client.get_trade_account_by_id(funded_id)
        assert position.qty == filled.filled_qty == "1.5"
        assert position.avg_entry_price == filled.filled_avg_price
        paid = (Decimal(filled.filled_avg_price) * Decimal("1.5")).quantize(Decimal("0.01"))
        assert Decimal(10000) - Decimal(account.cash) == pytest.approx(paid, abs=Decimal("0.01"))

    def test_a_resting_order_is_listed_replaced_and_canceled(self, client, funded_id):
        resting = client.submit_order_for_account(
            funded_id,
            LimitOrderRequest(
                symbol="MSFT",
                qty=2,
                side=OrderSide.BUY,
                time_in_force=TimeInForce.GTC,
                limit_price=1.25,
            ),
        )
        eventually(
            lambda: client.get_order_for_account_by_id(funded_id, resting.id).status == "new"
        )
        replaced = client.replace_order_for_account_by_id(
            funded_id, resting.id, ReplaceOrderRequest(qty=3, limit_price=1.5)
        )

        def open_orders():
            wanted = GetOrdersRequest(status=QueryOrderStatus.OPEN, nested=True)
            found = client.get_orders_for_account(funded_id, wanted)
            return [(order.id, order.qty) for order in found]

        eventually(lambda: open_orders() == [(replaced.id, "3")])
        [answer] = client.cancel_orders_for_account(funded_id)
        assert answer.status == 200
        eventually(
            lambda: client.get_order_for_account_by_id(funded_id, replaced.id).status == "canceled"
        )
        first = client.get_order_for_account_by_id(funded_id, resting.id)
        assert first.status == OrderStatus.REPLACED
        assert first.replaced_by == replaced.id

    def test_a_bracket_order_is_read_with_its_legs(self, client, funded_id):
        placed = client.submit_order_for_account(
            funded_id,
            LimitOrderRequest(
                symbol="MSFT",
                qty=2,
                side=OrderSide.BUY,
                time_in_force=TimeInForce.GTC,
                limit_price=1.25,
                order_class=OrderClass.BRACKET,
                take_profit=TakeProfitRequest(limit_price=2.5),
                stop_loss=StopLossRequest(stop_price=1.2, limit_price=1.1),
            ),
        )

        known = client.get_order_for_account_by_id(
            funded_id, placed.id, GetOrderByIdRequest(nested=True)
        )
        assert placed.order_class == OrderClass.BRACKET
        assert [(leg.type, leg.side, leg.status) for leg in placed.legs] == [
            (OrderType.LIMIT, OrderSide.SELL, OrderStatus.HELD),
            (OrderType.STOP_LIMIT, OrderSide.SELL, OrderStatus.HELD),
        ]
        assert [leg.id for leg in known.legs] == [leg.id for leg in placed.legs]

    def test_two_exits_and_an_entry_with_one_are_taken(self, client, funded_id):
        client.submit_order_for_account(funded_id, market("AAPL", qty=Decimal(2)))
        eventually(lambda: len(client.get_all_positions_for_account(funded_id)) == 1)

        exits = client.submit_order_for_account(
            funded_id,
            LimitOrderRequest(
                symbol="AAPL",
                qty=2,
                side=OrderSide.SELL,
                time_in_force=TimeInForce.GTC,
                order_class=OrderClass.OCO,
                take_profit=TakeProfitRequest(limit_price=100000),
                stop_loss=StopLossRequest(stop_price=1),
            ),
        )
        entry = client.submit_order_for_account(
            funded_id,
            LimitOrderRequest(
                symbol="MSFT",
                qty=1,
                side=OrderSide.BUY,
                time_in_force=TimeInForce.DAY,
                limit_price=1.25,
                order_class=OrderClass.OTO,
                stop_loss=StopLossRequest(stop_price=1),
            ),
        )

        assert (exits.limit_price, [leg.type for leg in exits.legs]) == (
            "100000",
            [OrderType.STOP],
        )
        assert [leg.stop_price for leg in entry.legs] == ["1"]

    def test_closing_all_positions_turns_them_into_cash(self, client, funded_id):
        for symbol in ("AAPL", "MSFT"):
            client.submit_order_for_account(funded_id, market(symbol, notional=Decimal("100.50")))
        eventually(lambda: len(client.get_all_positions_for_account(funded_id)) == 2)

        closed = client.close_all_positions_for_account(funded_id, cancel_orders=True)

        assert [answer.status for answer in closed] == [200, 200]
        eventually(lambda: client.get_all_positions_for_account(funded_id) == [])

    def test_activities_list_the_deposit_and_every_fill_newest_first(self, client, funded_id):
        client.submit_order_for_account(funded_id, market("AAPL", notional=Decimal("250.00")))
        eventually(lambda: len(client.get_all_positions_for_account(funded_id)) == 1)

        lines = client.get_account_activities(
            GetAccountActivitiesRequest(account_id=funded_id, page_size=1)
        )

        assert [line.activity_type for line in lines] == ["FILL", "CSD"]
        assert lines[1].net_amount == 10000.0

    def test_portfolio_history_ends_at_todays_equity(self, client, funded_id):
        history = client.get_portfolio_history_for_account(
            funded_id, GetPortfolioHistoryRequest(period="1M", timeframe="1D")
        )

        assert history.equity[-1] == 10000.0
        assert history.profit_loss[-1] == 0.0
        assert sum(history.cashflow["CSD"]) == 10000.0


class TestEvents:
    def test_the_clients_own_stream_reader_gets_the_history(self, client, account_id):
        window = GetEventsRequest(since=date(2020, 1, 1), until=date(2100, 1, 1))

        steps = [json.loads(text)["status_to"] for text in client.get_account_status_events(window)]

        assert steps == ["SUBMITTED", "APPROVED", "ACTIVE"]


class TestReference:
    def test_assets_are_listed_and_found_by_symbol(self, client):
        assets = client.get_all_assets(GetAssetsRequest(status="active", asset_class="us_equity"))

        assert client.get_asset("AAPL").id in {asset.id for asset in assets}

    def test_clock_and_calendar_are_readable(self, client):
        clock = client.get_clock()
        today = date.today()  # noqa: DTZ011 - any date near now will do

        days = client.get_calendar(GetCalendarRequest(start=today - timedelta(days=6), end=today))

        assert clock.is_open is True
        assert len(days) == 7
