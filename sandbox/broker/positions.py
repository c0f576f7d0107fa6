"""Reading and closing positions."""

from decimal import Decimal
from typing import Any

from starlette.requests import Request

from sandbox.answers import Refusal, as_bool, as_decimal, decimal_text, json_answer
from sandbox.assets import class_of, joined
from sandbox.broker import figures, orders, settlement, tickets
from sandbox.broker.core import Broker
from sandbox.broker.records import Account, Order, Position, stamp
from sandbox.broker.views import order_json, position_json

_HUNDRED = Decimal(100)


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer what an account holds."""
    account = broker.account(request.path_params["account_id"])
    return _all_of(broker, account.id)


def _all_of(broker: Broker, account_id: str) -> list[dict[str, Any]]:
    held = sorted(broker.books.held(account_id), key=lambda position: position.symbol)
    return [position_json(broker, position) for position in held]


async def list_of_all_accounts(broker: Broker, _request: Request) -> Any:
    """Answer what everybody holds."""
    return {
        "as_of": stamp(broker.now()),
        "positions": {
            account_id: _all_of(broker, account_id)
            for account_id, held in broker.books.positions.items()
            if held
        },
    }


async def show(broker: Broker, request: Request) -> Any:
    """Answer one position, named by symbol or asset id."""
    return position_json(broker, _find(broker, request))


def _find(broker: Broker, request: Request) -> Position:
    account = broker.account(request.path_params["account_id"])
    asset = broker.world.catalogue.get(request.path_params["symbol"])
    held = broker.books.positions.get(account.id, {})
    if asset is None or asset.symbol not in held:
        raise Refusal(404, 40410000, "position does not exist")
    return held[asset.symbol]


async def close(broker: Broker, request: Request) -> Any:
    """Sell a position, or a part of it given as a quantity or a percentage."""
    position = _find(broker, request)
    account = broker.active_account(position.account_id)
    query = request.query_params
    qty = _qty(position, query.get("qty"), query.get("percentage"))
    return order_json(_sell(broker, account, position.symbol, qty))


def _qty(position: Position, qty: str | None, percentage: str | None) -> Decimal:
    if qty and percentage:
        raise Refusal(422, 40010001, "only one of qty or percentage is accepted")
    wanted = as_decimal(qty or percentage) if qty or percentage else position.qty
    if wanted is None or wanted <= 0:
        raise Refusal(422, 40010001, "qty or percentage must be > 0")
    if not percentage:
        return wanted
    if wanted > _HUNDRED:
        raise Refusal(422, 40010001, "percentage must be at most 100")
    return figures.shares(position.qty * wanted / _HUNDRED)


def _sell(broker: Broker, account: Account, symbol: str, qty: Decimal) -> Order:
    body = {
        "symbol": symbol,
        "qty": qty,
        "side": "sell",
        "type": "market",
        "time_in_force": "gtc" if class_of(symbol) == "crypto" else "day",
    }
    ticket = tickets.read(broker, body)
    tickets.check_against_account(broker, account, ticket)
    return orders.place(broker, account, ticket)


async def close_all(broker: Broker, request: Request) -> Any:
    """Sell everything; with `cancel_orders` open orders go first and free their shares."""
    account = broker.active_account(request.path_params["account_id"])
    if as_bool(request.query_params.get("cancel_orders", False)):
        orders.cancel_open(broker, account, is_immediate=True)
    held = list(broker.books.held(account.id))
    return json_answer([_close_one(broker, account, position) for position in held], 207)


def _close_one(broker: Broker, account: Account, position: Position) -> dict[str, Any]:
    try:
        order = _sell(broker, account, position.symbol, position.qty)
    except Refusal as refusal:
        return {"symbol": joined(position.symbol), "status": refusal.status, "body": refusal.body}
    return {
        "symbol": joined(position.symbol),
        "status": 200,
        "order_id": order.id,
        "body": order_json(order),
    }


_ALWAYS_ZERO = (
    "accrued_fees",
    "short_market_value",
    "last_short_market_value",
    "sma",
    "intraday_adjustments",
    "pending_reg_taf_fees",
)


def _money_of(broker: Broker, account: Account) -> dict[str, Decimal]:
    """Return every amount of the trading account under the vendor's name for it."""
    power = figures.buying_power(broker, account)
    withdrawable = settlement.withdrawable(broker, account)
    value = figures.market_value(broker, account.id)
    last_cash, last_value = figures.at_last_close(broker, account)
    return {
        "buying_power": power,
        "regt_buying_power": power,
        "effective_buying_power": power,
        "non_marginable_buying_power": power,
        "options_buying_power": Decimal(0),
        "cash": account.cash,
        "cash_withdrawable": withdrawable,
        "cash_transferable": withdrawable,
        "pending_transfer_in": figures.pending_in(broker, account.id),
        "pending_transfer_out": figures.pending_out(broker, account.id),
        "portfolio_value": account.cash + value,
        "equity": account.cash + value,
        "last_equity": last_cash + last_value,
        "long_market_value": value,
        "position_market_value": value,
        "initial_margin": value,
        "maintenance_margin": value,
        "last_maintenance_margin": last_value,
        "last_long_market_value": last_value,
        "last_cash": last_cash,
        "last_initial_margin": last_value,
        "last_regt_buying_power": last_cash,
        "last_buying_power": last_cash,
    }


async def show_account(broker: Broker, request: Request) -> Any:
    """Answer the account as a trader sees it: cash, buying power, equity."""
    account = broker.account(request.path_params["account_id"])
    is_blocked = account.status != "ACTIVE"
    since = figures.last_close(broker)
    return {
        "id": account.id,
        "account_number": account.account_number,
        "status": account.status,
        "crypto_status": account.crypto_status,
        "currency": "USD",
        "created_at": stamp(account.created_at),
        "trading_blocked": is_blocked,
        "transfers_blocked": is_blocked,
        "account_blocked": account.status == "ACCOUNT_CLOSED",
        "trade_suspended_by_user": bool(account.configurations.get("suspend_trade", False)),
        "multiplier": "1",
        "shorting_enabled": False,
        "previous_close": since.isoformat(),
        "balance_asof": since.date().isoformat(),
        "clearing_broker": "ALPACA_APCA",
        "options_approved_level": 0,
        "options_trading_level": 0,
        **{name: decimal_text(amount) for name, amount in _money_of(broker, account).items()},
        **dict.fromkeys(_ALWAYS_ZERO, "0"),
    }
