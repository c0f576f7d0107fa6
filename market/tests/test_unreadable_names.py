"""One name that the price socket cannot read costs no other symbol its prices."""

from string import ascii_lowercase

import msgpack

from market.facts import Covered, Refused
from market.gateways.alpaca_stream import _OpenStream


class Picky:
    """A vendor that refuses a whole list because of one name in it, or all of a channel."""

    def __init__(self, *, refused=""):
        self.sent = 0
        self.channels = {"trades": set(), "quotes": set()}
        self._refused = refused
        self._answers = [{"T": "success", "msg": "authenticated"}]

    def send(self, data):
        self.sent += 1
        asked = msgpack.unpackb(data)
        action = asked.pop("action")
        if action == "auth":
            return
        if action == "unsubscribe":
            for channel, symbols in asked.items():
                self.channels[channel] -= set(symbols)
            self._answers.append({"T": "subscription"})
            return
        ((channel, symbols),) = asked.items()
        if channel == self._refused or not all(name.isalpha() for name in symbols):
            self._answers.append({"T": "error", "code": 400, "msg": "invalid syntax"})
            return
        self.channels[channel] |= set(symbols)
        self._answers.append({"T": "subscription"} | {c: [*s] for c, s in self.channels.items()})

    def receive(self, *, timeout_seconds):
        answers, self._answers = self._answers, []
        return [msgpack.packb([answer]) for answer in answers]


class TestANameThatTheVendorCannotRead:
    NAMES = frozenset(f"{a}{b}" for a in ascii_lowercase[:20] for b in ascii_lowercase[:20])

    def told(self, connection, *names):
        stream = _OpenStream(connection, ["trades", "quotes"])
        stream.authenticate()
        stream.cover(self.NAMES.union(names))
        news = []
        while more := stream.read(timeout_seconds=0):
            news += more
        return stream, news

    def test_costs_no_other_symbol_its_prices(self):
        connection = Picky()

        stream, news = self.told(connection, "A1", "XOM260116C00100000")

        assert connection.channels == {"trades": self.NAMES, "quotes": self.NAMES}
        assert news[-1] == Covered(self.NAMES)
        before = connection.sent
        stream.cover(self.NAMES.union(["A1", "XOM260116C00100000"]))
        assert connection.sent == before

    def test_is_found_however_many_others_there_are_and_wherever(self):
        bad = {f"{a}{b}1" for a in ascii_lowercase[:20] for b in "aht"}
        connection = Picky()

        _, news = self.told(connection, *bad)

        assert connection.channels == {"trades": self.NAMES, "quotes": self.NAMES}
        assert news[-1] == Covered(self.NAMES)
        assert connection.sent < 2 * 2 * 60 * 9

    def test_given_up_meanwhile_its_neighbours_are_not_asked_for(self):
        connection = Picky()
        stream = _OpenStream(connection, ["trades", "quotes"])
        stream.authenticate()
        stream.cover({*self.NAMES, "A1"})
        stream.read(timeout_seconds=0)  # the first halves are on their way
        stream.cover({"aa"})
        while stream.read(timeout_seconds=0):
            pass

        assert connection.channels == {"trades": {"aa"}, "quotes": {"aa"}}

    def test_is_looked_for_again_however_many_were_found_before(self):
        connection = Picky()
        stream, _ = self.told(connection)
        names = set(self.NAMES)

        for number in range(70):
            names |= {f"new{a}{b}" for a in ascii_lowercase[:9] for b in ascii_lowercase[:9]}
            stream.cover(names | {f"A{number}"})
            while stream.read(timeout_seconds=0):
                pass
            assert connection.channels == {"trades": names, "quotes": names}
            names = set(self.NAMES)
            stream.cover(names)
            stream.read(timeout_seconds=0)

    def test_is_asked_for_once_by_a_connection(self):
        connection = Picky()
        stream, _ = self.told(connection, "A1")
        stream.cover(self.NAMES)
        stream.read(timeout_seconds=0)
        before = connection.sent

        stream.cover(self.NAMES.union(["A1"]))

        assert connection.sent == before

    def test_is_not_looked_for_without_end_where_the_channel_is_refused(self):
        connection = Picky(refused="quotes")

        _, news = self.told(connection)

        assert connection.channels == {"trades": self.NAMES, "quotes": set()}
        assert news[-1] == Refused(400)
        assert connection.sent < 150
