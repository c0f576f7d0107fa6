"""Lines booked by hand, what corrects them, and cash that no line explains."""

import json
from decimal import Decimal

import pytest

from sandbox.broker import figures
from sandbox.tests.conftest import Server, running
from sandbox.tests.customers import Desk
from sandbox.world import Settings, World


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


def book(desk: Desk, account_id: str, **body: object) -> dict:
    desk.advance(1)  # so that the order in the book is that of the calls
    line: dict = desk.server.control(f"accounts/{account_id}/activities", body)
    return line


def lines(desk: Desk, account_id: str, **query: object) -> list[dict]:
    wanted = {"account_id": account_id, "direction": "asc"} | query
    found: list[dict] = desk.call("GET", "/v1/accounts/activities", params=wanted)
    return found


def events(desk: Desk, account_id: str) -> list[dict]:
    window = {"since": "2020-01-01", "until": "2100-01-01", "id": account_id}
    text = desk.send("GET", "/v2beta1/events/activities", params=window).text
    return [
        json.loads(part.partition("data: ")[2]) for part in text.split("\n\n") if "data" in part
    ]


class TestByHand:
    def test_a_dividend_and_a_fee_move_cash_and_are_told(self, desk):
        account_id = desk.funded_account("100")

        dividend = book(desk, account_id, activity_type="DIV", net_amount="1.25", symbol="AAPL")
        fee = book(desk, account_id, activity_type="FEE", net_amount="-0.30")

        assert desk.cash(account_id) == Decimal("100.95")
        assert [each["net_amount"] for each in lines(desk, account_id)] == [
            "100.00", "1.25", "-0.30",
        ]  # fmt: skip
        told = events(desk, account_id)
        assert [each["activity_type"] for each in told] == ["CSD", "DIV", "FEE"]
        assert [each["ref_id"] for each in told[1:]] == [dividend["id"], fee["id"]]
        assert [each["previous_id"] for each in told] == [None, None, None]
        assert told[1]["symbol"] == "AAPL"

    def test_what_is_not_told_is_found_in_the_book_only(self, desk):
        account_id = desk.open_account()

        kept = book(
            desk,
            account_id,
            activity_type="JNLC",
            net_amount="7",
            is_told=False,
            at="2026-01-31T12:00:00Z",
        )

        assert events(desk, account_id) == []
        [line] = lines(desk, account_id)
        assert (line["id"], line["created_at"]) == (kept["id"], "2026-01-31T12:00:00Z")
        assert desk.cash(account_id) == 7

    @pytest.mark.parametrize(
        "body",
        [
            [],
            {"net_amount": "1"},
            {"activity_type": "FILL", "net_amount": "1"},
            {"activity_type": "DIV"},
            {"activity_type": "DIV", "net_amount": "0.001"},
            {"activity_type": "DIV", "net_amount": "1", "at": "soon"},
            {"activity_type": "DIV", "net_amount": "1", "qty": "x"},
        ],
    )
    def test_a_line_that_is_not_understood_is_refused(self, desk, body):
        account_id = desk.open_account()

        answer = desk.server.http.post(
            f"{desk.server.url}/_control/accounts/{account_id}/activities", json=body
        )

        assert answer.status_code == 400
        assert lines(desk, account_id) == []

    def test_the_stream_begins_in_the_past_only_with_an_end(self, desk):
        path = "/v2beta1/events/activities"

        answer = desk.call("GET", path, status=400, params={"since": "2020-01-01"})

        assert answer["message"] == "since needs until on this stream"


class TestCorrections:
    def test_a_correction_takes_the_place_of_a_line(self, desk):
        account_id = desk.open_account()
        wrong = book(desk, account_id, activity_type="DIV", net_amount="5.00", symbol="AAPL")

        right = book(desk, account_id, correct=wrong["id"], net_amount="3.50")

        assert desk.cash(account_id) == Decimal("3.50")
        shown = [(e["status"], e["net_amount"], e["symbol"]) for e in lines(desk, account_id)]
        assert shown == [("canceled", "5.00", "AAPL"), ("correct", "3.50", "AAPL")]
        last = events(desk, account_id)[-1]
        assert (last["ref_id"], last["previous_id"], last["status"]) == (
            right["id"], wrong["id"], "correct",
        )  # fmt: skip

    def test_a_canceled_line_moves_nothing_and_names_the_one_it_takes_back(self, desk):
        account_id = desk.open_account()
        wrong = book(desk, account_id, activity_type="FEE", net_amount="-2")

        book(desk, account_id, cancel=wrong["id"])

        assert desk.cash(account_id) == 0
        last = events(desk, account_id)[-1]
        assert (last["previous_id"], last["status"]) == (wrong["id"], "canceled")

    def test_a_line_is_corrected_once(self, desk):
        account_id = desk.open_account()
        wrong = book(desk, account_id, activity_type="FEE", net_amount="-2")
        book(desk, account_id, cancel=wrong["id"])

        answer = desk.server.http.post(
            f"{desk.server.url}/_control/accounts/{account_id}/activities",
            json={"correct": wrong["id"], "net_amount": "1"},
        )

        assert answer.status_code == 404

    def test_a_correction_is_still_there_after_a_restart(self, tmp_path):
        with running(World.create(Settings(speed=0, data=tmp_path))) as server:
            desk = Desk(server)
            account_id = desk.open_account()
            wrong = book(desk, account_id, activity_type="DIV", net_amount="5")
            book(desk, account_id, correct=wrong["id"], net_amount="4")
            before = lines(desk, account_id)

        with running(World.create(Settings(speed=0, data=tmp_path))) as server:
            desk = Desk(server)
            assert lines(desk, account_id) == before
            assert desk.cash(account_id) == 4


def test_cash_can_drift_without_a_line(desk):
    account_id = desk.open_account()

    answer = desk.server.control(f"accounts/{account_id}/cash", {"change": "12.34"})

    assert answer["cash"] == "12.34"
    assert desk.cash(account_id) == Decimal("12.34")
    assert lines(desk, account_id) == []
    assert events(desk, account_id) == []


@pytest.mark.parametrize(("exact", "rounded"), [("1.005", "1.00"), ("1.015", "1.02")])
def test_half_a_cent_goes_to_the_even_one(exact, rounded):
    assert str(figures.cents(Decimal(exact))) == rounded


def test_a_fill_at_half_a_cent_moves_the_even_cent(desk):
    account_id = desk.funded_account("1000")
    desk.set_price("AAPL", "100.01")
    before = desk.cash(account_id)

    order = desk.order(account_id, qty="0.5")
    desk.advance(5)

    price = Decimal(desk.show_order(account_id, order["id"])["filled_avg_price"])
    paid = (price / 2).quantize(Decimal("0.01"), "ROUND_HALF_EVEN")
    assert before - desk.cash(account_id) == paid
