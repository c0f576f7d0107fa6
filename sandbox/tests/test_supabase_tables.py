"""The table that the product writes back to, over HTTP as its owner serves it."""

from typing import Any

import httpx
import pytest

from sandbox.tests.conftest import Server, running
from sandbox.world import Settings, World

KEY = "sandbox-service-role"
ROW = {
    "user_id": "user-1",
    "alpaca_account_id": "account-1",
    "alpaca_account_number": "930000001",
    "alpaca_account_status": "SUBMITTED",
    "status": "submitted",
    "updated_at": "2026-01-05T14:30:00Z",
}
MERGE = "resolution=merge-duplicates"
ROWS = "return=representation"


@pytest.fixture
def server(still_server: Server) -> Server:
    return still_server


def send(
    server: Server,
    method: str,
    body: Any = None,
    *,
    prefer: str = "",
    headers: dict[str, str] | None = None,
    **query: str,
) -> httpx.Response:
    keys = {"apikey": KEY, "authorization": f"Bearer {KEY}"} if headers is None else headers
    return server.http.request(
        method,
        f"{server.url}/supabase/rest/v1/user_onboarding",
        params=query,
        json=body,
        headers=keys | ({"prefer": prefer} if prefer else {}),
    )


def rows(server: Server, **query: str) -> Any:
    answer = send(server, "GET", headers=None, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def written(server: Server) -> list[str]:
    return [each["vendor_id"] for each in server.effects(kind="user_onboarding.written")]


class TestUpsert:
    def test_a_row_is_written_and_then_merged(self, server):
        first = send(server, "POST", ROW, prefer=MERGE, on_conflict="user_id")
        change = {"user_id": "user-1", "alpaca_account_status": "ACTIVE"}
        second = send(server, "POST", change, prefer=MERGE, on_conflict="user_id")

        assert (first.status_code, first.content) == (201, b"")
        assert (second.status_code, second.content) == (200, b"")
        assert rows(server) == [ROW | {"alpaca_account_status": "ACTIVE"}]
        assert written(server) == ["user-1", "user-1"]

    def test_the_rows_are_answered_if_that_is_preferred(self, server):
        answer = send(server, "POST", [ROW], prefer=f"{MERGE},{ROWS}", select="user_id,status")

        assert answer.status_code == 201
        assert answer.json() == [{"user_id": "user-1", "status": "submitted"}]

    def test_what_is_left_out_is_null_and_the_time_is_now(self, server):
        send(server, "POST", {"user_id": "user-1"})

        [row] = rows(server)
        now = server.control("clock", method="GET")["now"]
        assert row == dict.fromkeys(ROW) | {"user_id": "user-1", "updated_at": now}

    def test_a_row_that_is_there_is_a_conflict_without_the_preference(self, server):
        send(server, "POST", ROW)
        answer = send(server, "POST", ROW | {"status": "other"})

        assert (answer.status_code, answer.json()["code"]) == (409, "23505")
        assert rows(server) == [ROW]
        assert written(server) == ["user-1"]

    def test_a_row_that_is_there_can_be_left_alone(self, server):
        send(server, "POST", ROW)
        other = ROW | {"user_id": "user-2"}
        prefer = "resolution=ignore-duplicates"

        send(server, "POST", [ROW | {"status": "other"}, other], prefer=prefer)

        assert rows(server) == [ROW, other]

    @pytest.mark.parametrize(
        ("body", "query", "code"),
        [
            ({"status": "x"}, {}, "23502"),
            ({"user_id": None}, {}, "23502"),
            (ROW | {"ssn": "1"}, {}, "PGRST204"),
            (ROW | {"updated_at": "soon"}, {}, "22007"),
            (ROW, {"on_conflict": "status"}, "42P10"),
            ("row", {}, "PGRST102"),
            ([ROW, 7], {}, "PGRST102"),
        ],
    )
    def test_a_wrong_row_is_refused_with_all_the_others(self, server, body, query, code):
        answer = send(server, "POST", body, prefer=MERGE, **query)

        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert rows(server) == []
        assert written(server) == []


class TestUpdate:
    def test_the_rows_that_match_are_changed(self, server):
        send(server, "POST", [ROW, ROW | {"user_id": "user-2"}])

        change = {"alpaca_account_status": "ACTIVE"}
        answer = send(server, "PATCH", change, user_id="eq.user-1")

        assert (answer.status_code, answer.content) == (204, b"")
        assert [each["alpaca_account_status"] for each in rows(server)] == ["ACTIVE", "SUBMITTED"]
        assert written(server) == ["user-1", "user-2", "user-1"]

    def test_none_may_match(self, server):
        answer = send(server, "PATCH", {"status": "x"}, prefer=ROWS, user_id="eq.nobody")

        assert (answer.status_code, answer.json()) == (200, [])
        assert written(server) == []

    @pytest.mark.parametrize(
        ("change", "query", "code"),
        [
            ({"status": "x"}, {}, "21000"),
            ({"user_id": "user-9"}, {"user_id": "eq.user-1"}, "0A000"),
            ({"status": "x"}, {"user_id": "like.user"}, "PGRST100"),
            ({"status": "x"}, {"name": "eq.user"}, "42703"),
            ({"name": "x"}, {"user_id": "eq.user-1"}, "PGRST204"),
        ],
    )
    def test_a_wrong_change_changes_nothing(self, server, change, query, code):
        send(server, "POST", ROW)

        answer = send(server, "PATCH", change, **query)

        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert rows(server) == [ROW]


class TestRead:
    def test_rows_and_columns_are_chosen(self, server):
        send(server, "POST", [ROW | {"user_id": f"user-{number}"} for number in (1, 2, 3)])

        one = rows(server, user_id="eq.user-2", select="user_id,alpaca_account_status")
        two = rows(server, user_id="in.(user-1,user-3)", status="eq.submitted", select="user_id")

        assert one == [{"user_id": "user-2", "alpaca_account_status": "SUBMITTED"}]
        assert two == [{"user_id": "user-1"}, {"user_id": "user-3"}]

    def test_a_column_that_is_not_there_cannot_be_chosen(self, server):
        answer = send(server, "GET", select="ssn")

        assert (answer.status_code, answer.json()["code"]) == (400, "42703")


class TestKeys:
    @pytest.mark.parametrize(
        ("headers", "message"),
        [
            ({}, "No API key found in request"),
            ({"authorization": f"Bearer {KEY}"}, "No API key found in request"),
            ({"apikey": "other", "authorization": f"Bearer {KEY}"}, "Invalid API key"),
            ({"apikey": KEY}, "JWT invalid"),
            ({"apikey": KEY, "authorization": "Bearer other"}, "JWT invalid"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
    def test_without_both_keys_nobody_comes_in(self, server, method, headers, message):
        answer = send(server, method, ROW, headers=headers, user_id="eq.user-1")

        assert (answer.status_code, answer.json()["message"]) == (401, message)
        assert rows(server) == []

    def test_the_key_can_be_chosen(self, serve):
        server = serve(supabase_service_key="mine")

        assert send(server, "GET").status_code == 401
        keys = {"apikey": "mine", "authorization": "Bearer mine"}
        assert send(server, "GET", headers=keys).json() == []


class TestWorld:
    def test_rows_outlive_a_restart_and_a_reset_takes_them(self, tmp_path):
        with running(World.create(Settings(data=tmp_path))) as server:
            send(server, "POST", ROW)
        with running(World.create(Settings(data=tmp_path))) as server:
            outlived = rows(server)
            server.control("reset")

            assert (outlived, rows(server)) == ([ROW], [])

    def test_an_answer_can_get_lost_after_the_row_is_written(self, server):
        server.fault(kind="after_accept_status", status=504, vendor="supabase", method="POST")

        answer = send(server, "POST", ROW, prefer=MERGE)

        assert answer.status_code == 504
        assert rows(server) == [ROW]
