"""What a web process makes of frames that it did not hear, and what it counts."""

from contextlib import contextmanager

import pytest

from core.metrics import REGISTRY
from market import frames
from tests.live.factories import Publisher, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def counted(name, **labels):
    return REGISTRY.get_sample_value(f"clera_{name}", labels) or 0


@pytest.fixture
def rise():
    """Tell by how much a figure has risen since it was asked for first."""
    before = {}

    def rise(name, **labels):
        key = (name, *labels.items())
        before.setdefault(key, counted(name, **labels))
        return counted(name, **labels) - before[key]

    return rise


@pytest.fixture
def unheard(monkeypatch):
    """Publish where nobody listens, as if a connection had lost it."""

    @contextmanager
    def unheard():
        with monkeypatch.context() as lost:
            lost.setattr(frames, "CHANNEL", "nobody-listens")
            yield

    return unheard


@pytest.fixture
def client(port, account, token, publisher):
    """Somebody who looks at the account."""
    with signed_in(port, account.pk, token) as client:
        assert client.next()["type"] == "snapshot"
        yield client


def test_a_lost_frame_is_made_up_for(client, publisher, rise, unheard):
    rise("hub_reloads_total", why="gap")
    with unheard():
        publisher.trade("AAPL", 150)
    say_something(publisher)
    found = client.next(until=lambda m: m["seq"] == 3)

    assert found["total_value"] == "$1450.00"
    assert rise("hub_reloads_total", why="gap") == 1


def test_another_publisher_whose_beginning_was_lost_is_followed(client, rise, unheard):
    rise("hub_reloads_total", why="epoch")
    second = Publisher(fence=2)
    second.follow("AAPL", "200")
    with unheard():
        second.tick()
    say_something(second)
    found = client.next(until=lambda m: m["seq"] == 2)

    assert (found["total_value"], found["epoch"][:2]) == ("$1600.00", "2.")
    assert rise("hub_reloads_total", why="epoch") == 1


def test_what_is_told_is_counted(port, account, token, publisher, rise):
    expected = {
        ("frames_total", "what", "followed"): 3,
        ("socket_messages_total", "kind", "update"): 3,
        ("socket_messages_total", "kind", "snapshot"): 1,
        ("sockets_cut_total", "code", "4400"): 1,
        ("accounts_valued_total",): 3,
        ("frame_to_socket_seconds_count",): 3,
    }
    for name, *label in expected:
        rise(name, **dict([label] if label else []))
    with signed_in(port, account.pk, token) as client:
        client.next()
        assert counted("sockets", kind="values") == 1
        for price in (101, 102, 103):
            publisher.trade("AAPL", price)
            client.next(kind="update")
        client.send(type="nonsense")
        assert client.close_code() == 4400

    found = {key: rise(key[0], **dict([key[1:]] if key[1:] else [])) for key in expected}
    assert found == expected


def say_something(publisher):
    """Publish a frame without prices, which only comes at once when the feed is another thing."""
    publisher.desk.stocks.heard_at = float("-inf")
    publisher.tick()
