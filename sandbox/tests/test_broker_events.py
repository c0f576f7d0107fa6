"""Event streams: replay, live news, heartbeats, and every planned way to spoil them."""

import json
from typing import Any

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.frames import ACCOUNTS, replay, streaming

TRADES = "/v2/events/trades"
FUNDING = "/v2/events/funding/status"


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


class TestReplay:
    def test_an_account_tells_every_step_of_its_way(self, desk):
        desk.open_account()

        steps = [(each["status_from"], each["status_to"]) for each in replay(desk, ACCOUNTS)]

        assert steps == [("", "SUBMITTED"), ("SUBMITTED", "APPROVED"), ("APPROVED", "ACTIVE")]

    def test_ulids_grow_even_within_a_millisecond(self, desk):
        for _ in range(5):
            desk.open_account()

        ulids = [each["event_ulid"] for each in replay(desk, ACCOUNTS)]

        assert len(ulids) == 15
        assert ulids == sorted(set(ulids))

    def test_a_cursor_goes_on_behind_its_event(self, desk):
        desk.open_account()
        first, *others = (each["event_ulid"] for each in replay(desk, ACCOUNTS))

        with streaming(desk, ACCOUNTS, since_ulid=first) as frames:
            assert [frames.event()["event_ulid"] for _ in others] == others

    def test_the_older_trade_stream_has_integer_cursors(self, desk):
        account_id = desk.funded_account()
        desk.order(account_id, qty="1")
        desk.advance(1)
        new, fill = replay(desk, "/v1/events/trades")

        with streaming(desk, "/v1/events/trades", since_id=str(new["event_id"])) as frames:
            assert frames.event()["event_id"] == fill["event_id"]
        assert [new["event"], fill["event"]] == ["new", "fill"]

    def test_a_fill_says_what_was_traded_and_what_is_held(self, desk):
        account_id = desk.funded_account()
        desk.order(account_id, qty="2")
        desk.advance(1)

        _, fill = replay(desk, TRADES)

        assert fill["event_id"] == fill["event_ulid"]
        assert (fill["qty"], fill["position_qty"]) == ("2", "2")
        assert fill["order"]["filled_avg_price"] == fill["price"]
        assert fill["order"]["status"] == "filled"

    def test_funding_news_name_banks_and_transfers(self, desk):
        desk.funded_account()

        news = [(each["entity_type"], each["status_to"]) for each in replay(desk, FUNDING)]
        older = replay(desk, "/v1/events/transfers/status")

        assert news == [
            ("BankRelationship", "QUEUED"),
            ("BankRelationship", "APPROVED"),
            ("Transfer", "QUEUED"),
            ("Transfer", "SENT_TO_CLEARING"),
            ("Transfer", "COMPLETE"),
        ]
        assert [each["status_to"] for each in older] == ["QUEUED", "SENT_TO_CLEARING", "COMPLETE"]
        assert len({each["transfer_id"] for each in older}) == 1

    def test_one_accounts_events_can_be_asked_for(self, desk):
        desk.open_account()
        wanted_id = desk.open_account()

        found = replay(desk, ACCOUNTS, id=wanted_id)

        assert {each["account_id"] for each in found} == {wanted_id}
        assert len(found) == 3

    @pytest.mark.parametrize(
        "query",
        [
            {"since": "2020-01-01", "since_id": "01KE6Z3M5Q0000000000000001"},
            {"until": "2020-01-01"},
            {"since_id": "12"},
            {"since": "yesterday"},
        ],
    )
    def test_cursors_that_make_no_sense_are_refused(self, desk, query):
        desk.call("GET", TRADES, status=400, params=query)

    def test_without_the_key_there_is_no_stream(self, desk):
        desk.call("GET", TRADES, status=401, auth=None)


class TestLive:
    def test_news_arrive_on_an_open_stream_and_no_history_does(self, desk):
        desk.open_account()
        with streaming(desk, ACCOUNTS) as frames:
            assert frames.next() == ": connected"
            second_id = desk.open_account()

            assert frames.event()["account_id"] == second_id

    def test_silence_is_filled_with_heartbeats(self, desk):
        with streaming(desk, ACCOUNTS) as frames:
            seen = [frames.next() for _ in range(3)]

        assert seen == [": connected", ": heartbeat", ": heartbeat"]


class TestFaults:
    """Each opens an account, which makes three events, while one fault waits for the stream."""

    def seen(self, desk: Desk, kind: str, count: int, **fault: Any) -> list[str]:
        desk.server.fault(kind=kind, stream="accounts", **fault)
        desk.open_account()
        with streaming(desk, ACCOUNTS, since="2020-01-01") as frames:
            return [frames.event()["status_to"] for _ in range(count)]

    def test_an_event_can_come_twice(self, desk):
        seen = self.seen(desk, "duplicate", 4)

        assert seen == ["SUBMITTED", "SUBMITTED", "APPROVED", "ACTIVE"]

    def test_an_event_can_be_missing_and_is_still_in_the_history(self, desk):
        seen = self.seen(desk, "drop", 2)

        assert seen == ["APPROVED", "ACTIVE"]
        assert len(replay(desk, ACCOUNTS)) == 3

    def test_an_event_can_be_overtaken(self, desk):
        assert self.seen(desk, "reorder", 3) == ["APPROVED", "SUBMITTED", "ACTIVE"]

    def test_an_event_held_back_with_none_to_overtake_it_comes_late(self, desk):
        assert self.seen(desk, "reorder", 3, after=2) == ["SUBMITTED", "APPROVED", "ACTIVE"]

    def test_a_status_can_be_unknown(self, desk):
        seen = self.seen(desk, "unknown_status", 3, after=1)

        assert seen == ["SUBMITTED", "SOMETHING_NEW", "ACTIVE"]

    def test_the_server_tells_that_a_slow_reader_lost_an_event(self, desk):
        desk.server.fault(kind="dropped", stream="accounts")
        desk.open_account()

        with streaming(desk, ACCOUNTS, since="2020-01-01") as frames:
            lost = frames.until(lambda frame: "too slowly" in frame)
            following = frames.event()["status_to"]

        assert lost == ": you are reading too slowly, dropped 1 messages"
        assert following == "APPROVED"

    def test_several_in_a_row_can_be_lost_and_a_new_reading_has_them(self, desk):
        desk.server.fault(kind="dropped", stream="accounts", count=2)
        desk.open_account()

        with streaming(desk, ACCOUNTS, since="2020-01-01") as frames:
            lost = frames.until(lambda frame: "too slowly" in frame)
            following = frames.event()["status_to"]

        assert lost == ": you are reading too slowly, dropped 2 messages"
        assert following == "ACTIVE"
        assert len(replay(desk, ACCOUNTS)) == 3

    def test_no_more_are_lost_than_there_are(self, desk):
        desk.server.fault(kind="dropped", stream="accounts", count=9, after=1)
        desk.open_account()

        with streaming(desk, ACCOUNTS, since="2020-01-01") as frames:
            lost = frames.until(lambda frame: "too slowly" in frame)

        assert lost == ": you are reading too slowly, dropped 2 messages"

    def test_an_event_can_be_overtaken_by_one_of_another_account(self, desk):
        first, second = (desk.server.control("accounts", {"count": 2}))["ids"]
        for account_id in (first, second):
            desk.server.control(f"accounts/{account_id}/status", {"status": "INACTIVE"})
        desk.server.fault(kind="overtaken", stream="accounts")

        assert [each["account_id"] for each in replay(desk, ACCOUNTS)] == [second, first]

    def test_an_event_is_never_overtaken_by_one_of_its_own_account(self, desk):
        assert self.seen(desk, "overtaken", 3) == ["SUBMITTED", "APPROVED", "ACTIVE"]

    def test_an_event_held_back_at_the_end_of_a_window_comes_last(self, desk):
        desk.server.fault(kind="reorder", stream="accounts", after=2)
        desk.open_account()

        seen = [each["status_to"] for each in replay(desk, ACCOUNTS)]

        assert seen == ["SUBMITTED", "APPROVED", "ACTIVE"]

    def test_a_fault_can_wait_for_one_event(self, desk):
        desk.open_account()
        _, approved, _ = replay(desk, ACCOUNTS)
        ulid = approved["event_ulid"]
        desk.server.fault(kind="drop", stream="accounts", event=ulid)
        planned = desk.server.control("faults", method="GET")["faults"]

        without = [each["status_to"] for each in replay(desk, ACCOUNTS)]
        again = [each["status_to"] for each in replay(desk, ACCOUNTS)]

        assert [each["event"] for each in planned] == [ulid]
        assert without == ["SUBMITTED", "ACTIVE"]
        assert again == ["SUBMITTED", "APPROVED", "ACTIVE"]
        assert desk.server.control("faults", method="GET") == {"faults": []}

    def test_an_events_json_can_be_broken(self, desk):
        desk.server.fault(kind="bad_json", stream="accounts")
        desk.open_account()

        with streaming(desk, ACCOUNTS, since="2020-01-01") as frames:
            broken = frames.until(lambda frame: "data: " in frame)

        with pytest.raises(json.JSONDecodeError):
            json.loads(broken.partition("data: ")[2])

    def test_the_connection_can_end_in_the_middle_of_an_event(self, desk):
        desk.server.fault(kind="cut_frame", stream="accounts")
        desk.open_account()

        answer = desk.send("GET", ACCOUNTS, params={"since": "2020-01-01"}).text

        assert not answer.endswith("\n\n")
        assert answer.count("data: ") <= 1

    def test_an_idle_connection_is_closed_as_soon_as_planned(self, desk):
        with streaming(desk, ACCOUNTS) as frames:
            frames.next()
            desk.server.fault(kind="disconnect", stream="accounts")

            with pytest.raises(StopIteration):
                frames.until(lambda _: False)

    def test_a_stalled_stream_sends_not_even_heartbeats(self, desk):
        with streaming(desk, ACCOUNTS) as frames:
            frames.next()
            desk.server.fault(kind="stall", stream="accounts", seconds=0.7)
            frames.until(lambda frame: frame == ": heartbeat")

        assert desk.server.control("faults", method="GET") == {"faults": []}

    def test_a_fault_of_one_stream_leaves_the_others_alone(self, desk):
        desk.server.fault(kind="drop", stream="trades")
        desk.open_account()

        assert len(replay(desk, ACCOUNTS)) == 3
