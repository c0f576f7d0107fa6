"""What is the same for all customers: assets, clock, calendar, countries, configurations."""

from decimal import Decimal
from typing import Any

from starlette.requests import Request

from sandbox.answers import Refusal, decimal_text, read_json
from sandbox.assets import Asset
from sandbox.broker import figures
from sandbox.broker.core import NEW_YORK, Broker
from sandbox.broker.events import read_time
from sandbox.broker.records import ZERO
from sandbox.paths import scale_of

_CONFIGURATIONS: dict[str, Any] = {
    "dtbp_check": "entry",
    "fractional_trading": True,
    "max_margin_multiplier": "1",
    "no_shorting": True,
    "pdt_check": "entry",
    "suspend_trade": False,
    "trade_confirm_email": "all",
    "ptp_no_exception_entry": False,
}
_COUNTRIES = {
    "USA": "United States",
    "CAN": "Canada",
    "GBR": "United Kingdom",
    "DEU": "Germany",
    "FRA": "France",
    "JPN": "Japan",
    "AUS": "Australia",
    "IND": "India",
    "BRA": "Brazil",
    "MEX": "Mexico",
}
_PERCENT = Decimal("0.01")
_USUAL_CLASS = "us_equity"
_CALENDAR_BEGINS, _CALENDAR_ENDS = "2016-01-01", "2029-12-31"


async def list_assets(broker: Broker, request: Request) -> Any:
    """Answer the instruments by status, class and exchange; coins only when asked for."""
    query = request.query_params
    return [
        asset_json(broker, asset)
        for asset in broker.world.catalogue.all()
        if query.get("status", asset.status) in {asset.status, "all"}
        and query.get("asset_class", _USUAL_CLASS) == asset.asset_class
        and query.get("exchange", asset.exchange) == asset.exchange
        and asset.kind != "test"
    ]


async def show_asset(broker: Broker, request: Request) -> Any:
    """Answer one instrument, named by symbol or id."""
    name = request.path_params["symbol"]
    asset = broker.world.catalogue.get(name)
    if asset is None:
        raise Refusal(404, 40410000, f"asset not found for {name}")
    return asset_json(broker, asset)


def asset_json(broker: Broker, asset: Asset) -> dict[str, Any]:
    """Show an instrument."""
    last = figures.price_of(broker, asset.symbol)
    close = broker.world.prices.previous_close(asset.symbol) or ZERO
    change = ((last - close) / close).quantize(figures.NANO) if close else ZERO
    is_share_in_parts = asset.fractionable and not asset.is_coin
    margin = "100" if asset.is_coin else "30"
    shown = {
        "id": asset.id,
        "class": asset.asset_class,
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": asset.status,
        "tradable": asset.tradable,
        "marginable": asset.marginable,
        "maintenance_margin_requirement": int(margin),
        "margin_requirement_long": margin,
        "margin_requirement_short": margin,
        "shortable": asset.shortable,
        "easy_to_borrow": asset.easy_to_borrow,
        "fractionable": asset.fractionable,
        "attributes": ["fractional_eh_enabled"] if is_share_in_parts else [],
        "last_close_pct_change": decimal_text(change),
        "last_price": decimal_text(last),
        "last_close": decimal_text(close),
    }
    return shown | _steps(asset) if asset.is_coin else shown


def _steps(asset: Asset) -> dict[str, Any]:
    """Tell by which steps a coin is traded."""
    return {
        "min_order_size": decimal_text(figures.NANO),
        "min_trade_increment": decimal_text(figures.NANO),
        "price_increment": decimal_text(scale_of(asset).least),
    }


async def show_clock(broker: Broker, _request: Request) -> Any:
    """Answer the time and whether the market is open."""
    prices, now = broker.world.prices, broker.now()
    return {
        "timestamp": now.astimezone(NEW_YORK).isoformat(),
        "is_open": prices.is_open(now),
        "next_open": prices.next_open(now).astimezone(NEW_YORK).isoformat(),
        "next_close": prices.next_close(now).astimezone(NEW_YORK).isoformat(),
    }


async def list_calendar(broker: Broker, request: Request) -> Any:
    """Answer the sessions between two dates."""
    query, prices = request.query_params, broker.world.prices
    start = read_time(query.get("start") or _CALENDAR_BEGINS).date()
    end = read_time(query.get("end") or _CALENDAR_ENDS).date()
    return [
        {
            "date": session.date.isoformat(),
            "open": f"{session.open.astimezone(NEW_YORK):%H:%M}",
            "close": f"{session.close.astimezone(NEW_YORK):%H:%M}",
            "session_open": "0400",
            "session_close": "2000",
            "settlement_date": prices.sessions.after(session.date).date.isoformat(),
        }
        for session in prices.calendar(start, end)
    ]


async def list_countries(_broker: Broker, _request: Request) -> Any:
    """Answer the countries whose residents may open an account."""
    return [{"code": code, "name": name} for code, name in _COUNTRIES.items()]


async def show_configurations(broker: Broker, request: Request) -> Any:
    """Answer an account's trading configurations."""
    return _CONFIGURATIONS | broker.account(request.path_params["account_id"]).configurations


async def change_configurations(broker: Broker, request: Request) -> Any:
    """Change an account's trading configurations."""
    account = broker.account(request.path_params["account_id"])
    body = await read_json(request)
    account.configurations |= {key: body[key] for key in _CONFIGURATIONS if key in body}
    broker.books.save(account)
    return _CONFIGURATIONS | account.configurations


async def refuse(_broker: Broker, _request: Request) -> Any:
    """Say that there is no such endpoint."""
    raise Refusal(404, 40410000, "endpoint not found.")


async def list_nothing(_broker: Broker, _request: Request) -> Any:
    """Answer an empty list: this broker has seen none of these."""
    return []
