"""Several web processes show the same, and a standby carries on when the price leader is gone."""

import time
from contextlib import ExitStack
from itertools import combinations

import pytest

from core.tests.promises import promised
from tests.e2e.beside import Streams, Watcher, Web, kill_group, leader_of
from tests.e2e.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WEBS = 3  # beside the one that runs already
STALE_SECONDS = 5
TAKE_OVER_SECONDS = promised(7.5)  # the lease of the dead, a look at it, and the first frame


@pytest.fixture(scope="module")
def urls(clera):
    """Four web processes and two workers for streams, the first of which leads."""
    with ExitStack() as stack:
        webs = [Web(clera) for _ in range(WEBS)]
        for web in webs:
            stack.callback(web.kill)
        standby = Streams(clera)
        stack.callback(standby.stop)
        for web in webs:
            web.wait_until_ready()
        assert leader_of(clera) != standby.process.pid
        yield [clera.url, *(web.url for web in webs)], webs
    leader_of(clera)  # the tests after this one need somebody who leads


@pytest.fixture
def watching(clera, urls):
    """Two sockets of the demo account on each process."""
    with ExitStack() as stack:
        watchers = [Watcher(url, path_of(clera), clera.bearer) for url in urls[0] * 2]
        for watcher in watchers:
            stack.callback(watcher.close)
        for watcher in watchers:
            until(lambda watcher=watcher: is_live(watcher), 60)
        yield watchers


def path_of(clera):
    return f"/ws/portfolio/{clera.account}"


def is_live(watcher):
    values = watcher.values()
    return bool(values) and not values[-1][1]["stale"]


def agree(watchers, least, **which):
    """See that whoever was at the same frame showed the same, at so many frames at least."""
    shown = [watcher.shown(**which) for watcher in watchers]
    for one, other in combinations(shown, 2):
        common = one.keys() & other.keys()
        assert {f: one[f] for f in common} == {f: other[f] for f in common}
        assert len(common) >= least
    return shown


def epochs(watcher, **which):
    return [message["epoch"] for _, message in watcher.values(**which)]


class TestFourProcesses:
    def test_show_the_same_at_the_same_frame(self, watching):
        began = time.monotonic()
        until(lambda: all(len(w.values(after=began)) >= 6 for w in watching), 60)

        shown = agree(watching, 3, after=began)

        assert len({value for found in shown for value, *_ in found.values()}) >= 3

    @pytest.mark.promise
    def test_go_on_when_the_leader_is_killed(self, clera, watching):
        before = {epoch for watcher in watching for epoch in epochs(watcher)[-1:]}
        assert len(before) == 1
        worth = watching[0].values()[-1][1]["raw_value"]

        killed = time.monotonic()
        kill_group(leader_of(clera))

        until(lambda: all(epochs(w)[-1] not in before and is_live(w) for w in watching), 60)
        for watcher in watching:
            after = watcher.values(after=killed)
            [first, *_] = [at for at, m in after if m["epoch"] not in before and not m["stale"]]
            assert first - killed <= TAKE_OVER_SECONDS
            followed_on(after, worth)
            if first - killed > STALE_SECONDS + 5:
                assert any(m["stale"] for at, m in after if at < first)
        [epoch] = {epochs(watcher)[-1] for watcher in watching}
        until(lambda: all(len(w.values(epoch=epoch)) >= 4 for w in watching), 60)
        agree(watching, 2, epoch=epoch)

    @pytest.mark.promise
    def test_take_over_the_clients_of_one_that_is_killed(self, clera, urls, watching):
        *others, doomed = watching[: WEBS + 1]
        urls[1][-1].kill()
        assert doomed.closed.wait(60)

        back = [Watcher(url, path_of(clera), clera.bearer) for url in urls[0][:WEBS]]
        began = time.monotonic()
        until(lambda: all(len(w.values(after=began)) >= 4 for w in (*back, *others)), 60)

        for watcher in back:
            assert watcher.messages[0][1]["type"] == "snapshot"
            at, first = watcher.values()[0]
            assert at - began <= promised(3)
            _, last = doomed.values()[-1]
            assert (first["epoch"], first["seq"] >= last["seq"]) == (last["epoch"], True)
        agree([*back, *others], 2, after=began)
        for watcher in back:
            watcher.close()


def followed_on(values, worth):
    """See that no value was a part of one: all is priced, epochs only grow, and so do frames."""
    order = [(*map(int, m["epoch"].split(".")), m["seq"]) for _, m in values]
    assert order == sorted(order)
    for _, message in values:
        assert message["raw_value"] == pytest.approx(worth, rel=0.05)
        assert message.get("unpriced", []) == []


@pytest.mark.proof
class TestAgainAndAgain:
    def test_leaders_die_ten_times_and_every_socket_follows(self, clera, urls):
        with ExitStack() as stack:
            watchers = [Watcher(url, path_of(clera), clera.bearer) for url in urls[0][:WEBS] * 8]
            for watcher in watchers:
                stack.callback(watcher.close)
            for _ in range(10):
                standby = Streams(clera)
                stack.callback(standby.stop)
                until(lambda: all(is_live(w) for w in watchers), 40)
                time.sleep(6)  # by now it stands by
                killed, last = time.monotonic(), watchers[0].values()[-1][1]
                kill_group(leader_of(clera))
                until(lambda last=last: all(epochs(w)[-1] != last["epoch"] for w in watchers), 40)
                until(lambda: all(is_live(w) for w in watchers), 40)
                for watcher in watchers:
                    followed_on(watcher.values(after=killed), last["raw_value"])
            agree(watchers, 20)
