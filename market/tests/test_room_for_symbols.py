"""What the price socket has no room for, as questions and answers overtake each other."""

import msgpack
import pytest

from market.gateways.alpaca_stream import _OpenStream


class Narrow:
    """A vendor with room for two symbols, which answers when it is told to."""

    def __init__(self):
        self.covered = set()
        self._asked = []
        self._answers = [{"T": "success", "msg": "authenticated"}]

    def send(self, data):
        asked = msgpack.unpackb(data)
        if asked["action"] != "auth":
            self._asked.append(asked)

    def receive(self, *, timeout_seconds):
        answers, self._answers = self._answers, []
        return [msgpack.packb(answers)] if answers else []

    def answer(self):
        """Answer all that was asked for by now; the answers are on their way then."""
        for asked in self._asked:
            symbols = set(asked["trades"])
            is_new = asked["action"] == "subscribe"
            changed = self.covered | symbols if is_new else self.covered - symbols
            if len(changed) > 2:
                self._answers.append({"T": "error", "code": 405, "msg": "symbol limit exceeded"})
                continue
            self.covered = changed
            self._answers.append({"T": "subscription", "trades": sorted(changed)})
        self._asked = []


@pytest.fixture
def vendor():
    return Narrow()


@pytest.fixture
def stream(vendor):
    stream = _OpenStream(vendor, ["trades"])
    stream.authenticate()
    return stream


@pytest.fixture
def settle(vendor, stream):
    def settle():
        for _ in range(20):
            vendor.answer()
            stream.read(timeout_seconds=0)
        assert not stream._unanswered

    return settle


def test_what_was_given_up_before_it_was_refused_is_not_asked_for_later(vendor, stream, settle):
    stream.cover("ABCD")
    vendor.answer()
    stream.cover("A")
    settle()

    stream.cover("")
    settle()

    assert vendor.covered == set()


def test_what_came_back_meanwhile_makes_room_when_it_goes(vendor, stream, settle):
    stream.cover("ABCD")
    vendor.answer()
    stream.cover("A")
    stream.cover("AC")
    settle()
    stream.cover("ACD")
    settle()
    assert vendor.covered == {"A", "C"}

    stream.cover("AD")
    settle()

    assert vendor.covered == {"A", "D"}


def test_what_was_refused_before_others_made_room_is_asked_for_again(vendor, stream, settle):
    stream.cover("AB")
    settle()
    stream.cover("ABCD")
    vendor.answer()
    stream.cover("CD")
    settle()

    assert vendor.covered == {"C", "D"}
