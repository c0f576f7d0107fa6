"""The fault plan around HTTP: what the client sees, and how many effects there really are."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.faults import BadFault, FaultPlan
from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk, eventually


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


@pytest.fixture
def account_id(desk: Desk) -> str:
    return desk.funded_account()


@pytest.fixture
def impatient(desk: Desk) -> Iterator[httpx.Client]:
    with httpx.Client(auth=desk.server.auth, timeout=0.3, verify=False) as http:
        yield http


def send(http: httpx.Client, desk: Desk, account_id: str, key: str = "order-1") -> httpx.Response:
    body = {
        "symbol": "AAPL",
        "qty": "1",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": key,
    }
    url = f"{desk.server.broker_url}/v1/trading/accounts/{account_id}/orders"
    return http.post(url, json=body)


def orders_made(desk: Desk) -> int:
    return len(desk.server.effects(vendor="alpaca_broker", kind="order.created"))


def on_orders(**fault: Any) -> dict[str, Any]:
    return {"vendor": "alpaca_broker", "method": "POST", "path": "/orders$"} | fault


class TestLostAnswers:
    def test_accepted_and_then_silent_leaves_one_effect(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="hang_after_accept", seconds=30))

        with pytest.raises(httpx.ReadTimeout):
            send(impatient, desk, account_id)

        eventually(lambda: orders_made(desk) == 1)
        path = f"/v1/trading/accounts/{account_id}/orders:by_client_order_id"
        assert desk.call("GET", path, params={"client_order_id": "order-1"})["qty"] == "1"

    def test_silent_before_accepting_leaves_none(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="hang_before", seconds=30))

        with pytest.raises(httpx.ReadTimeout):
            send(impatient, desk, account_id)

        assert orders_made(desk) == 0

    @pytest.mark.parametrize(("kind", "effects"), [("reset_after_accept", 1), ("reset_before", 0)])
    def test_the_connection_is_reset(self, desk, account_id, impatient, kind, effects):
        desk.server.fault(**on_orders(kind=kind))

        with pytest.raises(httpx.ReadError):
            send(impatient, desk, account_id)

        assert orders_made(desk) == effects

    def test_an_answer_can_come_late_but_whole(self, desk, account_id):
        desk.server.fault(**on_orders(kind="hang_after_accept", seconds=0.1))

        with httpx.Client(auth=desk.server.auth, timeout=10, verify=False) as patient:
            answer = send(patient, desk, account_id)

        assert answer.status_code == 200
        assert answer.json()["client_order_id"] == "order-1"

    def test_a_delayed_request_is_done_although_the_client_left(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="delay", seconds=1.0))
        with pytest.raises(httpx.ReadTimeout):
            send(impatient, desk, account_id)
        before = orders_made(desk)

        eventually(lambda: orders_made(desk) == 1)
        assert before == 0

    def test_an_answer_can_be_cut_in_the_middle(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="cut"))

        with pytest.raises(httpx.TransportError):
            send(impatient, desk, account_id)

        assert orders_made(desk) == 1


class TestWrongAnswers:
    @pytest.mark.parametrize(
        ("status", "content_type"),
        [
            (429, "application/json"),
            (500, "application/json"),
            (502, "text/html"),
            (503, "application/json"),
            (504, "application/json"),
        ],
    )
    def test_a_status_comes_without_an_effect(
        self, desk, account_id, impatient, status, content_type
    ):
        desk.server.fault(**on_orders(kind="status", status=status))

        answer = send(impatient, desk, account_id)

        assert answer.status_code == status
        assert answer.headers["content-type"] == content_type
        assert ("retry-after" in answer.headers) == (status in {429, 503})
        assert orders_made(desk) == 0

    def test_a_gateway_timeout_can_hide_an_order_that_was_taken(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="after_accept_status", status=504))

        answer = send(impatient, desk, account_id)

        assert answer.status_code == 504
        assert orders_made(desk) == 1

    def test_json_can_be_cut_short_and_still_say_200(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="garbage_after_accept", variant="json"))

        answer = send(impatient, desk, account_id)

        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()
        assert orders_made(desk) == 1

    def test_a_page_of_html_can_say_200(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="garbage", variant="html"))

        answer = send(impatient, desk, account_id)

        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
        assert orders_made(desk) == 0

    def test_a_refusal_can_quote_the_request(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="quote"))

        answer = send(impatient, desk, account_id)

        assert answer.status_code == 422
        assert "AAPL 1 buy market day order-1" in answer.json()["message"]
        assert orders_made(desk) == 0


class TestUnknownValues:
    def test_a_status_nobody_knows_comes_in_an_answer_or_a_list(self, desk, account_id):
        desk.server.fault(kind="unknown_value", path="/transfers$", times=2)
        path = f"/v1/accounts/{account_id}/transfers"
        [bank] = desk.call("GET", f"/v1/accounts/{account_id}/ach_relationships")

        made = desk.transfer(account_id, bank["id"], "10")
        listed = desk.call("GET", path)
        again = desk.call("GET", path)

        assert made["status"] == listed[0]["status"] == "SOMETHING_NEW"
        assert [each["status"] for each in again] == ["QUEUED", "COMPLETE"]


class TestPlan:
    def test_a_fault_strikes_as_often_as_planned_and_after_those_it_lets_pass(
        self, desk, account_id, impatient
    ):
        desk.server.fault(**on_orders(kind="status", status=503, times=2, after=1))

        seen = [send(impatient, desk, account_id, f"o-{n}").status_code for n in range(4)]

        assert seen == [200, 503, 503, 200]

    def test_other_paths_methods_and_vendors_go_untouched(self, desk, account_id):
        desk.server.fault(**on_orders(kind="status"))

        assert desk.call("GET", f"/v1/trading/accounts/{account_id}/orders") == []
        assert desk.call("POST", "/v1/accounts", status=422, json={})["code"] == 40010001

    def test_the_plan_can_be_dropped(self, desk, account_id, impatient):
        desk.server.fault(**on_orders(kind="status"))
        desk.server.control("faults", method="DELETE")

        assert send(impatient, desk, account_id).status_code == 200

    @pytest.mark.parametrize(
        "wanted", [{"kind": "explode"}, {"kind": "delay", "path": "("}, {"kind": "delay", "x": 1}]
    )
    def test_what_is_not_known_cannot_be_planned(self, wanted):
        with pytest.raises(BadFault):
            FaultPlan().add(**wanted)

    def test_a_bad_plan_is_a_bad_request(self, desk):
        answer = desk.server.http.post(
            f"{desk.server.url}/_control/faults", json={"kind": "explode"}
        )

        assert answer.status_code == 400
        assert answer.json()["message"] == "unknown kind 'explode'"
