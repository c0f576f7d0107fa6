"""Many accounts at once, and storms of news that a careful reader must survive."""

import itertools
from datetime import datetime
from typing import Any

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.frames import ACCOUNTS, replay
from sandbox.tests.readers import Reader

SMALL = {"accounts": 20, "events": 300, "unknown": 0.05, "cuts": 6, "drops": 5}


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


def storm(desk: Desk, **wanted: Any) -> dict[str, Any]:
    answer: dict[str, Any] = desk.server.control("accounts/storm", SMALL | wanted)
    return answer


class TestCrowds:
    def test_many_accounts_are_made_in_a_status_and_told_to_nobody(self, desk):
        ids = desk.server.control("accounts", {"count": 200})["ids"]
        desk.advance(60)

        accounts = desk.call("GET", "/v1/accounts", params={"status": "ACTIVE"})
        assert {each["id"] for each in accounts} == set(ids)
        assert len({each["account_number"] for each in accounts}) == 200
        assert replay(desk, ACCOUNTS) == []

    def test_they_stay_in_their_status(self, desk):
        [account_id] = desk.server.control("accounts", {"count": 1, "status": "SUBMITTED"})["ids"]
        desk.advance(60)

        assert desk.account(account_id)["status"] == "SUBMITTED"

    def test_an_active_one_can_be_used(self, desk):
        [account_id] = desk.server.control("accounts", {"count": 1})["ids"]
        desk.transfer(account_id, desk.link_bank(account_id), "25")
        desk.advance(10)

        assert desk.cash(account_id) == 25

    @pytest.mark.parametrize(
        "body", [{"count": 0}, {"count": 10_001}, {"count": "9"}, {"count": True}, {"status": 7}, 7]
    )
    def test_what_makes_no_sense_is_refused(self, desk, body):
        answer = desk.server.http.post(f"{desk.server.url}/_control/accounts", json=body)

        assert answer.status_code == 400
        assert desk.call("GET", "/v1/accounts") == []


class TestStorms:
    def test_who_reads_again_after_every_loss_ends_with_the_model(self, desk):
        told = storm(desk)
        reader = Reader(desk)

        reader.read_all()

        assert len(reader.events) == told["events"] == 300
        for account_id, model in told["accounts"].items():
            assert reader.steps_of(account_id) == model["steps"]
            assert desk.account(account_id)["status"] == model["status"] == model["steps"][-1]
        assert max(reader.events) == told["last_event_ulid"]

    def test_exactly_what_was_planned_goes_wrong_and_once(self, desk):
        told = storm(desk)
        reader = Reader(desk)

        reader.read_all()

        assert told["mishaps"] == {
            "duplicate": 60,
            "overtaken": 30,
            "cut_frame": 6,
            "dropped": 5,
        }
        assert reader.duplicates() == 60
        assert reader.cuts == 6
        assert reader.lost == [": you are reading too slowly, dropped 3 messages"] * 5
        assert desk.server.control("faults", method="GET") == {"faults": []}
        assert len(replay(desk, ACCOUNTS)) == 300

    def test_news_are_overtaken_but_never_inside_an_account(self, desk):
        storm(desk, duplicates=0, cuts=0, drops=0)
        reader = Reader(desk)

        reader.read_all()

        [seen] = reader.passes
        assert reader.overtakings() == 30
        for account_id in {each["account_id"] for each in reader.events.values()}:
            own = [ulid for ulid in seen if reader.events[ulid]["account_id"] == account_id]
            assert own == sorted(own)

    def test_some_statuses_are_unknown(self, desk):
        told = storm(desk)

        steps = [step for model in told["accounts"].values() for step in model["steps"]]
        assert told["unknown"] == sum(step.startswith("SOMETHING_") for step in steps) == 15

    def test_news_are_a_millisecond_apart_and_time_has_passed_when_they_are_told(self, desk):
        before = datetime.fromisoformat(desk.server.control("clock", method="GET")["now"])
        storm(desk, duplicates=0, reordered=0, cuts=0, drops=0)
        after = datetime.fromisoformat(desk.server.control("clock", method="GET")["now"])

        moments = [datetime.fromisoformat(each["at"]) for each in replay(desk, ACCOUNTS)]
        assert moments == sorted(set(moments))
        assert before <= moments[0] < moments[-1] <= after

    def test_the_same_seed_makes_the_same_storm(self, desk):
        def ways(seed: int) -> list[Any]:
            return list(storm(desk, seed=seed)["accounts"].values())

        assert ways(1) == ways(1)
        assert ways(1) != ways(2)

    def test_every_step_changes_the_status(self, desk):
        for model in storm(desk)["accounts"].values():
            steps = ["SUBMITTED", *model["steps"]]
            assert all(before != after for before, after in itertools.pairwise(steps))

    def test_it_can_strike_accounts_that_were_opened_as_usual(self, desk):
        ids = [desk.open_account(), desk.apply()]

        told = storm(desk, account_ids=ids, events=40, cuts=0, drops=0)
        desk.advance(60)

        assert list(told["accounts"]) == ids
        for account_id in ids:
            assert desk.account(account_id)["status"] == told["accounts"][account_id]["status"]

    def test_a_reset_ends_it(self, desk):
        storm(desk)
        desk.server.control("reset")

        assert desk.server.control("faults", method="GET") == {"faults": []}
        assert replay(desk, ACCOUNTS) == []

    @pytest.mark.parametrize(
        ("wanted", "status"),
        [
            ({"events": 19}, 400),
            ({"duplicates": 1.5}, 400),
            ({"duplicates": "many"}, 400),
            ({"duplicates": 0.9}, 400),
            ({"reordered": 0.9}, 400),
            ({"cuts": -1}, 400),
            ({"account_ids": []}, 400),
            ({"account_ids": "all"}, 400),
            ({"account_ids": ["nobody"]}, 404),
        ],
    )
    def test_what_makes_no_sense_is_refused_before_anything_happens(self, desk, wanted, status):
        url = f"{desk.server.url}/_control/accounts/storm"

        answer = desk.server.http.post(url, json=SMALL | wanted)

        assert answer.status_code == status
        assert replay(desk, ACCOUNTS) == []
        assert desk.call("GET", "/v1/accounts") == []
        assert desk.server.control("faults", method="GET") == {"faults": []}
