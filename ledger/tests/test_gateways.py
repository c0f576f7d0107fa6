"""Whatever the broker writes into its books, it is read right or not at all."""

import json
from decimal import Decimal

import pytest

from core.errors import VendorUnavailable
from core.tests.wires import answer, vendor
from ledger.gateways import Unreadable
from ledger.gateways.alpaca import AlpacaBooks

DIVIDEND = {
    "id": "20260105::1",
    "account_id": "account-1",
    "activity_type": "DIV",
    "created_at": "2026-01-05T12:00:00Z",
    "net_amount": "1.25",
    "status": "executed",
}
FILL = {
    "id": "20260105::2",
    "account_id": "account-1",
    "activity_type": "FILL",
    "transaction_time": "2026-01-05T12:00:00.123Z",
    "side": "buy",
    "price": "10.01",
    "qty": "0.5",
    "cum_qty": "1.50",
    "order_id": "order-1",
    "symbol": "AAPL",
}


def read(line, **changes):
    return AlpacaBooks().read_news({**line, **changes})


@pytest.fixture
def saying(settings):
    """Let the broker answer everything with these words."""

    def saying(body):
        text = json.dumps(body).encode()
        return vendor(lambda connection, _: connection.sendall(answer("200 OK", text)))

    return saying


class TestALine:
    def test_says_what_was_filled(self):
        line = read(FILL)

        assert (line.cash, line.quantity, line.cumulative) == (
            Decimal("-5.00"),
            Decimal("0.5"),
            Decimal("1.5"),
        )

    @pytest.mark.parametrize(
        ("amount", "cash"), [("1e2", "100.00"), ("0.005", "0.00"), (7, "7.00"), ("-0", "0.00")]
    )
    def test_may_write_its_amount_in_many_ways(self, amount, cash):
        assert read(DIVIDEND, net_amount=amount).cash == Decimal(cash)

    @pytest.mark.parametrize(
        "amount",
        [
            *("NaN", "sNaN", "Infinity", "1e400", "1e999999", "9" * 30, "1,000", "x"),
            *(True, 0.1, [], {}, ["1.00"]),
        ],
        ids=str,
    )
    def test_with_an_amount_that_is_none_is_not_read(self, amount):
        with pytest.raises(Unreadable):
            read(DIVIDEND, net_amount=amount)

    @pytest.mark.parametrize("name", ["qty", "price", "cum_qty"])
    @pytest.mark.parametrize("figure", ["NaN", "1e120", "-1", "9" * 30, "0.0000000001", ["1"]])
    def test_of_a_fill_with_a_figure_out_of_bounds_is_not_read(self, name, figure):
        with pytest.raises(Unreadable):
            read(FILL, **{name: figure})

    @pytest.mark.parametrize(
        "changes",
        [
            {"activity_type": None},
            {"activity_type": ["DIV"]},
            {"id": "7" * 101},
            {"id": 7},
            {"created_at": "soon"},
            {"created_at": "0000-01-01T00:00:00Z"},
        ],
    )
    def test_without_a_name_a_type_or_a_time_is_not_read(self, changes):
        with pytest.raises(Unreadable):
            read(DIVIDEND, **changes)


class TestTheList:
    def test_leaves_out_what_is_another_accounts(self, saying, settings):
        with saying([DIVIDEND, {**DIVIDEND, "id": "other", "account_id": "account-2"}]) as (url, _):
            settings.ALPACA_BROKER_URL = url
            lines = AlpacaBooks().list_activities("account-1", after=None)

        assert [line.activity_id for line in lines] == [DIVIDEND["id"]]

    def test_ends_when_the_broker_answers_a_page_twice(self, saying, settings):
        with saying([DIVIDEND, FILL]) as (url, requests):
            settings.ALPACA_BROKER_URL = url
            lines = AlpacaBooks().list_activities("account-1", after=None)

        assert (len(lines), len(requests)) == (2, 2)

    @pytest.mark.parametrize("body", [{}, [7], [{**FILL, "qty": "NaN"}], "lines"])
    def test_of_which_a_line_cannot_be_read_is_none(self, saying, settings, body):
        with saying(body) as (url, _):
            settings.ALPACA_BROKER_URL = url
            with pytest.raises(VendorUnavailable):
                AlpacaBooks().list_activities("account-1", after=None)

    @pytest.mark.parametrize("cash", ["NaN", "1e400", None, [], True, "9" * 30])
    def test_nor_is_cash_that_is_no_amount(self, saying, settings, cash):
        with saying({"cash": cash}) as (url, _):
            settings.ALPACA_BROKER_URL = url
            with pytest.raises(VendorUnavailable):
                AlpacaBooks().cash_of("account-1")
