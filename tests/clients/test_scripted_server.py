"""What the clients make of what a server may say; the server here follows a script."""

import asyncio
import time

import pytest
from clera_live import LiveClient, Refused, Timing

from tests.clients.factories import LANGUAGES, following
from tests.clients.scripted import stage, turned_away
from tests.e2e.waiting import until

ACCOUNT = "a"
NOW = {"account_id": ACCOUNT, "epoch": "3.100", "stale": False, "total_value": "$1.00"}
HELD = {"revision": "r1", "positions": [{"symbol": "X", "price": "1"}]}


def snapshot(seq, **more):
    return {"type": "snapshot", "seq": seq, "raw_value": seq, **NOW, **HELD, **more}


def update(seq, kind="update", **more):
    return {"type": kind, "seq": seq, "raw_value": seq, **NOW, **more}


@pytest.fixture(params=LANGUAGES)
def follow(request, tmp_path):
    (tmp_path / "token").write_text("secret")

    def follow(playing, *, account=ACCOUNT, **options):
        return following(request.param, playing.url, tmp_path / "token", account=account, **options)

    return follow


def seqs(follower):
    return [value["seq"] for value in follower.values]


def test_the_greeting_carries_the_token_and_later_what_is_known(follow):
    with (
        stage([snapshot(5), 1001], [update(7, "resumed"), None]) as server,
        follow(server, positions=True, act_for="bob") as follower,
    ):
        last = follower.wait_for("value", lambda value: value["seq"] == 7)

    said = {"type": "auth", "token": "secret", "act_for": "bob", "detail": "positions"}
    place = {"epoch": "3.100", "seq": 5, "revision": "r1"}
    assert [frame for _, frame in server.greetings] == [said, {**said, "resume": place}]
    assert last["positions"] == HELD["positions"]
    assert (last["revision"], "type" in last) == ("r1", False)


@pytest.mark.parametrize(
    ("word", "code"),
    [({"type": "draining"}, 1012), ({"type": "error", "error": "service_busy"}, 1013)],
)
def test_comes_back_when_it_is_told_to(follow, word, code):
    with (
        stage([snapshot(1), {**word, "retry_after": 0.6}, code], [snapshot(2), None]) as server,
        follow(server) as follower,
    ):
        follower.wait_for("value", lambda value: value["seq"] == 2)

    (first, _), (second, _) = server.greetings
    assert 0.55 <= second - first <= 30
    assert "polling" not in follower.states


def test_a_server_that_is_behind_is_shown_once_it_has_caught_up(follow):
    behind = [snapshot(7, revision="r2", positions=[]), update(8), update(9), update(10), None]
    with stage([snapshot(9), 1001], behind) as server, follow(server) as follower:
        last = follower.wait_for("value", lambda value: value["seq"] == 10)

    assert seqs(follower) == [9, 9, 10]
    assert (last["revision"], last["positions"]) == ("r2", [])


def test_a_server_that_gives_no_value_is_given_up(follow):
    words = [{"type": "heartbeat"}, None]
    with (
        stage(words, [snapshot(1), None]) as server,
        follow(server, timing={"connect": 3}) as follower,
    ):
        follower.wait_for("value")

    assert len(server.greetings) == 2


def test_what_it_does_not_know_it_leaves_alone(follow):
    news = {"type": "tomorrow's"}
    with (
        stage([news, snapshot(1), news, update(2, more=1), None]) as server,
        follow(server) as follower,
    ):
        last = follower.wait_for("value", lambda value: value["seq"] == 2)

    assert (last["more"], follower.states) == (1, ["connecting", "live", "stopped"])


@pytest.mark.parametrize("code", [4400, 4404, 4003])
def test_what_no_second_try_would_change_ends_it(follow, code):
    problem = {"type": "error", "error": "no", "detail": "Never."}
    with stage([snapshot(1), problem, code]) as server, follow(server) as follower:
        follower.wait_for("state", lambda state: state == "refused")
        time.sleep(0.3)

    assert (follower.codes()[-1], len(server.greetings)) == (code, 1)
    assert follower.values[-1]["stale"] is True


def test_of_several_accounts_one_may_change_hands(follow):
    greeting = {"type": "subscribed", "accounts": ["a", "b"]}
    lost = {"type": "error", "error": "not_found", "account_id": "b"}
    left = {"type": "subscribed", "accounts": ["a"]}
    other = {**snapshot(1), "account_id": "b"}
    with (
        stage([greeting, snapshot(1), other, 4404], [lost, left, snapshot(2), None]) as server,
        follow(server, account=None, accounts=["a", "b"]) as follower,
    ):
        follower.wait_for("value", lambda value: value["seq"] == 2)

    assert len(server.greetings) == 2
    assert [problem["account_id"] for problem in follower.all("problem")] == ["b"]
    assert "refused" not in follower.states


def test_an_account_that_is_somebody_elses_from_the_start_ends_it(follow):
    with stage([4404]) as server, follow(server, account=None) as follower:
        follower.wait_for("state", lambda state: state == "refused")

    assert (follower.codes()[-1], len(server.greetings)) == (4404, 1)


def test_a_server_that_falls_silent_makes_values_stale_at_once(follow):
    timing = {"heartbeat": 0.1, "stale_after": 60, "first_pause": 60, "longest_pause": 60}
    with stage([snapshot(1), None]) as server, follow(server, timing=timing) as follower:
        follower.wait_for("value", lambda value: value["stale"])

    assert len(server.greetings) == 1


class TestWhileConnected:
    """What the server will not do is no reason to leave."""

    BUSY = {"type": "error", "error": "service_busy", "retry_after": 0.3}
    MANY = {"type": "error", "error": "too_many_accounts", "accounts": ["b"]}
    LIST = {"type": "subscribed", "accounts": ["a"]}
    OTHER = {"account_id": "b"}

    def test_accounts_that_were_too_many_are_not_asked_for_again(self, follow):
        begin = [self.LIST, snapshot(1), ..., self.MANY, 1001]
        with (
            stage(begin, [self.LIST, snapshot(2), None]) as server,
            follow(server, account=None, accounts=["a"]) as follower,
        ):
            follower.wait_for("value")
            follower.order("subscribe", ["b"])
            follower.wait_for("value", lambda value: value["seq"] == 2)

        assert [said["accounts"] for _, said in server.greetings] == [["a"], ["a"]]

    def test_accounts_that_must_wait_are_asked_for_again(self, follow):
        later = [..., {**self.BUSY, "accounts": ["b"]}, ..., {**snapshot(2), **self.OTHER}]
        with (
            stage([self.LIST, snapshot(1), *later, None]) as server,
            follow(server, account=None, accounts=["a"]) as follower,
        ):
            follower.wait_for("value")
            follower.order("subscribe", ["b"])
            follower.wait_for("value", lambda value: value["account_id"] == "b")

        assert server.heard == [{"type": "subscribe", "accounts": ["b"]}] * 2

    def test_a_token_that_nobody_could_check_is_sent_again(self, follow):
        renewal = [{"type": "expiring", "seconds": 60}, ..., self.BUSY, ..., {"type": "renewed"}]
        with stage([snapshot(1), *renewal, update(2), None]) as server, follow(server) as follower:
            follower.wait_for("value", lambda value: value["seq"] == 2)

        assert server.heard == [{"type": "auth", "token": "secret"}] * 2

    def test_a_wait_that_is_over_is_not_waited_for_again(self, follow):
        busy = {**self.BUSY, "retry_after": 60}
        with (
            stage([snapshot(1), busy, update(2), 1001], [snapshot(3), None]) as server,
            follow(server) as follower,
        ):
            follower.wait_for("value", lambda value: value["seq"] == 3)

    def test_nothing_is_told_of_what_is_followed_no_longer(self, follow):
        both = {**self.LIST, "accounts": ["a", "b"]}
        begin = [both, snapshot(1), {**snapshot(1), **self.OTHER}]
        late = [{**update(2), **self.OTHER}, {**snapshot(3), **self.OTHER}, self.LIST, update(4)]
        with (
            stage([*begin, ..., *late, None]) as server,
            follow(server, account=None, accounts=["a", "b"]) as follower,
        ):
            follower.wait_for("value", lambda value: value["account_id"] == "b")
            follower.order("unsubscribe", ["b"])
            follower.wait_for("value", lambda value: value["seq"] == 4)

        assert [(v["account_id"], v["seq"]) for v in follower.values] == [
            ("a", 1),
            ("b", 1),
            ("a", 4),
        ]


def test_a_server_that_answers_and_drops_is_asked_less_and_less(follow):
    timing = {"first_pause": 0.1, "longest_pause": 60, "settled": 5, "poll": 60}
    visits = [[snapshot(n), 1012] for n in range(1, 200)]
    with stage(*visits) as server, follow(server, timing=timing):
        until(lambda: server.greetings)
        time.sleep(4)
        until(lambda: len(server.greetings) >= 3)

    # Below 0.1, 0.2, 0.4, 0.8, 1.6 ... s one after the other; with a first pause each it were 80.
    assert len(server.greetings) <= 20


def test_one_that_has_served_for_a_while_is_asked_again_soon(follow):
    timing = {"first_pause": 0.1, "longest_pause": 60, "settled": 0, "poll": 60}
    visits = [[snapshot(n), 1012] for n in range(1, 200)]
    with stage(*visits) as server, follow(server, timing=timing):
        until(lambda: len(server.greetings) > 20)


class TestTurnedAway:
    """What is in front of the server may answer in its place."""

    def test_it_comes_back_when_it_is_told_to(self, follow):
        timing = {"first_pause": 0.05, "longest_pause": 0.1, "poll": 0.05}
        with turned_away(retry_after=60) as door, follow(door, timing=timing):
            until(lambda: "/api/portfolio/value" in door.asked)
            time.sleep(1)

        assert door.asked.count("/api/portfolio/value") == 1


def test_a_wait_told_in_answer_to_a_handshake_is_kept(tmp_path):
    (tmp_path / "token").write_text("secret")
    options = {"account": ACCOUNT, "timing": {"first_pause": 0.05, "longest_pause": 0.1}}
    with (
        turned_away(retry_after=60) as door,
        following("python", door.url, tmp_path / "token", **options) as follower,
    ):
        follower.wait_for("problem")
        time.sleep(1)

    assert door.asked.count("/ws/portfolio/a") == 1


class TestIteration:
    def iterate(self, server, *, until=None, pause=0.0, **options):
        """Iterate up to a number, and return the numbers seen, with the code of a refusal."""

        async def token():
            return "secret"

        client = LiveClient(server.url, **{"account": ACCOUNT, "token": token, **options})

        async def run():
            seen = []
            try:
                async for value in client:
                    seen.append(value["seq"])
                    await asyncio.sleep(pause)
                    if value["seq"] == until:
                        break
            except Refused as refused:
                seen.append(refused.code)
            return seen

        return asyncio.run(run()), client.state

    def test_the_slow_get_the_newest_and_may_leave(self):
        with stage([snapshot(1), *map(update, range(2, 300)), None]) as server:
            seen, state = self.iterate(server, until=299, pause=0.5)

        assert (len(seen) < 10, seen[-1], state) == (True, 299, "stopped")

    def test_a_refusal_is_raised_after_the_last_value(self):
        with stage([snapshot(1), 4404]) as server:
            assert self.iterate(server) == ([1, 1, 4404], "refused")

    def test_a_token_that_does_not_come_is_asked_for_again(self):
        asked = []

        async def token():
            asked.append(None)
            if len(asked) == 1:
                await asyncio.Event().wait()
            return "secret"

        timing = Timing(connect_seconds=0.2, first_pause_seconds=0.1)
        with stage([snapshot(1), None]) as server:
            assert self.iterate(server, until=1, token=token, timing=timing)[0] == [1]

    def test_a_callback_that_fails_changes_nothing(self, caplog):
        def fail(value):
            raise ValueError

        with stage([snapshot(1), update(2), None]) as server:
            self.iterate(server, until=2, on_value=fail)

        assert "A callback has failed." in caplog.text


@pytest.mark.parametrize("options", [{"account": "a", "accounts": ["b"]}])
def test_options_that_make_no_sense_are_refused_at_once(options):
    with pytest.raises(TypeError):
        LiveClient("http://x", token=None, **options)
