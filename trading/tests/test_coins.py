"""Coins are held under the names of instruments, and orders for them are refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from django.apps import apps

from accounts.tests.factories import alpaca_data
from core.auth import SYSTEM, acting_as
from market import selectors as market_selectors
from market.facts import Session
from trading import gateways, selectors, services
from trading.gateways import alpaca, coins
from trading.risk import RiskRefused
from trading.states import AfterHours, Source
from trading.tests import factories
from trading.tests.factories import buy, sell

KEYS = ("CKSANDBOX", "sandbox-secret")


class TestNames:
    @pytest.mark.parametrize(
        ("told", "name"),
        [
            ("BTCUSD", "BTC/USD"),
            ("DOGEUSD", "DOGE/USD"),
            ("USDCUSD", "USDC/USD"),
            ("USDTUSD", "USDT/USD"),
            ("BTCUSDT", "BTC/USDT"),
            ("ETHUSDC", "ETH/USDC"),
            ("USDTUSDC", "USDT/USDC"),
            ("ETHBTC", "ETH/BTC"),
            ("BTC/USD", "BTC/USD"),
        ],
    )
    def test_get_their_slash_back(self, told, name):
        assert coins.with_slash(told, asset_class="crypto") == name
        assert coins.with_slash(told) == name

    @pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "USD", "BTC", "XUSD", "GBTC", "037833100"])
    def test_of_shares_stay_as_they_are(self, symbol):
        assert coins.with_slash(symbol, asset_class="us_equity") == symbol
        assert coins.with_slash(symbol) == symbol

    def test_a_share_is_never_taken_for_a_coin(self):
        assert coins.with_slash("BTCUSD", asset_class="us_equity") == "BTCUSD"


@pytest.mark.django_db(transaction=True)
class TestHeld:
    @pytest.fixture
    def account(self, sandbox):
        answer = httpx.post(
            f"{sandbox.url}/alpaca/broker/v1/accounts",
            json=alpaca_data(),
            auth=KEYS,
            trust_env=False,
        )
        broker_account_id = answer.json()["id"]
        sandbox.advance(5)
        held = [{"symbol": "BTC/USD", "qty": "0.5"}, {"symbol": "AAPL", "qty": "2"}]
        path = f"/accounts/{broker_account_id}/seed"
        sandbox.control("POST", path, {"positions": held, "cash": "10", "months": 1})
        account = factories.new_account()
        account.broker_account_id = broker_account_id
        with acting_as(SYSTEM):
            account.save()
        return account

    def test_the_broker_names_it_without_slash_and_we_with_it(self, account, sandbox):
        broker_account_id = account.broker_account_id
        path = f"/alpaca/broker/v1/trading/accounts/{broker_account_id}/positions"
        wire = httpx.get(f"{sandbox.url}{path}", auth=KEYS, trust_env=False).json()

        read = alpaca.AlpacaBroker().list_positions(broker_account_id=broker_account_id)

        assert [item["symbol"] for item in wire] == ["AAPL", "BTCUSD"]
        assert [(p.symbol, p.asset_class, p.quantity) for p in read] == [
            ("AAPL", "us_equity", Decimal(2)),
            ("BTC/USD", "crypto", Decimal("0.5")),
        ]

    def test_it_is_stored_and_listed_as_the_instrument(self, account):
        with gateways.use(alpaca.AlpacaBroker()):
            services.sync_holdings(account_id=account.pk, at=datetime.now(UTC))
        owner = factories.customer(account.user_id)

        held = selectors.list_priced_positions(
            principal=owner, account_id=account.pk, at=datetime.now(UTC)
        )

        assert [(p.position.symbol, p.position.quantity) for p in held] == [
            ("AAPL", Decimal(2)),
            ("BTC/USD", Decimal("0.5")),
        ]
        assert all(p.market_value is not None and p.market_value > 0 for p in held)


@pytest.mark.django_db(transaction=True)
class TestOrders:
    @pytest.fixture
    def bitcoin(self, account):
        row = factories.new_instrument("BTC/USD", price="90000.00")
        apps.get_model("market", "Instrument").objects.filter(pk=row.pk).update(
            asset_class="crypto", exchange="CRYPTO"
        )
        return row

    @pytest.fixture
    def closed_market(self, bitcoin):
        now = datetime.now(UTC)
        word = Session(asked_at=now - timedelta(1), is_open=False, changes_at=now + timedelta(1))
        market_selectors._session[:] = [word]

    @pytest.mark.parametrize(
        "ticket",
        [
            buy("BTC/USD", quantity="0.001"),
            buy("BTC/USD", notional="50", after_hours=AfterHours.QUEUE_FOR_OPEN),
            sell("BTC/USD", quantity="0.001", limit_price="95000"),
        ],
        ids=["quantity", "dollars for the open", "sale"],
    )
    def test_are_refused_before_anything_is_sent_or_put_aside(self, place, broker, bitcoin, ticket):
        with pytest.raises(RiskRefused) as caught:
            place(ticket)

        assert caught.value.extra["rule"] == "coins_not_traded"
        assert broker.tickets == {}

    @pytest.mark.usefixtures("closed_market")
    def test_are_refused_the_same_while_the_stock_market_is_closed(self, place, broker):
        with pytest.raises(RiskRefused) as caught:
            place(buy("BTC/USD", notional="50", after_hours=AfterHours.QUEUE_FOR_OPEN))

        assert caught.value.extra["rule"] == "coins_not_traded"
        assert broker.tickets == {}

    def test_are_refused_to_a_closure_too(self, account, broker, bitcoin):
        factories.set_closing(account, datetime.now(UTC))

        with pytest.raises(RiskRefused) as caught:
            services.place_order(
                principal=factories.customer(account.user_id),
                account_id=account.pk,
                ticket=sell("BTC/USD", quantity="0.001"),
                request=None,
                at=datetime.now(UTC),
                source=Source.CLOSURE,
            )

        assert caught.value.extra["rule"] == "coins_not_traded"
        assert broker.tickets == {}
