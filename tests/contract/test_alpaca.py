"""What we rely on at Alpaca: shapes, exact numbers, and its clear noes."""

from decimal import Decimal
from uuid import uuid4

import pytest

from core.errors import VendorRejected
from core.vendors import alpaca

VENDOR = "alpaca"
NOBODY = "00000000-0000-4000-8000-000000000000"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vendor")]


def test_the_clock_says_whether_the_market_is_open():
    clock = alpaca.broker().read("/v1/clock")

    assert isinstance(clock["is_open"], bool)
    assert {"timestamp", "next_open", "next_close"} <= set(clock)


def test_the_calendar_lists_sessions():
    days = alpaca.broker().read("/v1/calendar", params={"start": "2026-11-23", "end": "2026-11-30"})

    assert {"date", "open", "close"} <= set(days[0])


def test_an_asset_tells_whether_it_can_be_bought_in_fractions():
    asset = alpaca.broker().read("/v1/assets/AAPL")

    assert asset["symbol"] == "AAPL"
    assert isinstance(asset["tradable"], bool)
    assert isinstance(asset["fractionable"], bool)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/assets/NOSUCHTHING",
        f"/v1/accounts/{NOBODY}",
        f"/v1/accounts/{NOBODY}/documents",
        f"/v1/accounts/{NOBODY}/documents/{NOBODY}/download",
        f"/v1/trading/accounts/{NOBODY}/account",
    ],
)
def test_what_is_not_there_is_a_clear_no(path):
    with pytest.raises(VendorRejected) as caught:
        alpaca.broker().read(path)

    assert caught.value.http_status in {403, 404, 422}
    assert caught.value.vendor_code.isdigit()


def test_a_snapshot_has_a_trade_a_quote_and_two_days():
    found = alpaca.data().read("/v2/stocks/snapshots", params={"symbols": "AAPL", "feed": "iex"})
    snapshot = found.get("snapshots", found)["AAPL"]

    assert Decimal(snapshot["latestTrade"]["p"]) > 0
    assert Decimal(snapshot["latestQuote"]["ap"]) >= 0
    assert Decimal(snapshot["prevDailyBar"]["c"]) > 0


@pytest.mark.parametrize(
    ("method", "json"),
    [("PATCH", {"qty": "1", "client_order_id": "contract-1"}), ("DELETE", None)],
)
def test_changing_an_order_that_is_not_there_is_a_clear_no(method, json):
    path = f"/v1/trading/accounts/{uuid4()}/orders/{uuid4()}"

    with pytest.raises(VendorRejected) as caught:
        alpaca.broker().write(method, path, **({"json": json} if json else {}))

    assert caught.value.http_status in {403, 404, 422}


@pytest.mark.parametrize("query", [{}, {"nested": "true"}], ids=str)
def test_an_order_that_is_not_there_is_not_found(query):
    path = f"/v1/trading/accounts/{uuid4()}/orders/{uuid4()}"

    with pytest.raises(VendorRejected) as caught:
        alpaca.broker().read(path, params=query)

    assert caught.value.http_status in {403, 404, 422}
