"""An event is kept once, applied once, and parked when it cannot be."""

import pytest

from core import inbox
from core.inbox import InboxEvent

pytestmark = pytest.mark.django_db


class TestReceive:
    def test_keeps_an_event_once_and_moves_the_cursor_forward_only(self):
        assert inbox.receive("post", "02", {"n": 2}, cursor="02")
        assert inbox.receive("post", "01", {"n": 1}, cursor="01")
        assert not inbox.receive("post", "02", {"n": 2}, cursor="02")

        assert inbox.position_of("post") == "02"
        assert InboxEvent.objects.filter(source="post").count() == 2

    def test_sources_do_not_share_names(self):
        assert inbox.receive("post", "01", {})
        assert inbox.receive("bank", "01", {})
        assert inbox.position_of("bank") is None


class TestApply:
    def test_hands_each_event_over_once_in_order(self):
        seen = []
        for name in ("b", "a"):
            inbox.receive("post", name, {"name": name})

        assert inbox.apply_waiting("post", lambda event: seen.append(event["name"])) == 2
        assert inbox.apply_waiting("post", lambda event: seen.append(event["name"])) == 0
        assert seen == ["b", "a"]

    def test_a_poisonous_event_is_parked_and_the_others_flow(self):
        seen = []

        def handler(event):
            if event["name"] == "bad":
                raise KeyError("name")
            seen.append(event["name"])

        inbox.receive("post", "1", {"name": "bad"})
        inbox.receive("post", "2", {"name": "good"})
        for _ in range(7):
            inbox.apply_waiting("post", handler)

        bad = InboxEvent.objects.get(external_id="1")
        assert seen == ["good"]
        assert (bad.attempts, bad.error, bad.applied_at) == (5, "KeyError", None)

    def test_a_failing_handler_leaves_nothing_half_done(self):
        def handler(event):
            inbox.receive("post", "side effect", {})
            raise KeyError("name")

        inbox.receive("post", "1", {})
        inbox.apply_waiting("post", handler)

        assert not InboxEvent.objects.filter(external_id="side effect").exists()
