"""A client may leave in the middle of being refused, and without reading what it was told."""

import json
import socket
import time
from array import array
from fcntl import ioctl
from termios import FIONREAD

import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from tests.live.factories import deaf_client, wait_until_cut
from tests.live.feed import push

GOODBYE = Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")).serialize(mask=True)
NO_TEXT = Frame(Opcode.TEXT, b"\xff").serialize(mask=True)
NONSENSE = Frame(Opcode.TEXT, json.dumps({"type": "nonsense"}).encode()).serialize(mask=True)


def test_a_bad_frame_and_a_goodbye_in_one_packet_end_quietly(port, account, token, caplog):
    url = f"ws://127.0.0.1:{port}/ws/portfolio/{account.pk}"

    with connect(url, proxy=None) as client:
        client.send(json.dumps({"type": "auth", "token": token}))
        assert "total_value" in client.recv(timeout=60)
        client.socket.sendall(NONSENSE + GOODBYE)
        client.recv_events_thread.join(60)

    assert client.close_code == 1000
    assert "Exception in ASGI application" not in caplog.text


@pytest.mark.usefixtures("cramped")
class TestWhoReadsNothing:
    """What is unsent must not keep a connection that no cap counts any more."""

    @pytest.fixture
    def full(self, port, account, token, monkeypatch):
        """A connection with more on its way than there is room for."""
        monkeypatch.setattr("clera.websockets._LAST_WORDS_SECONDS", 0.5)
        push(account, 100, text="x" * 3000)
        with deaf_client(port, account.pk, token, kind="account", more="&since=0") as raw:
            wait_until_full(raw)
            yield raw

    @pytest.mark.parametrize("last_word", [GOODBYE, NO_TEXT], ids=["goodbye", "no text"])
    def test_is_cut_soon_whatever_it_says_last(self, full, last_word):
        full.sendall(last_word)

        wait_until_cut(full)

    def test_is_cut_soon_when_it_answers_our_goodbye(self, full):
        full.sendall(NONSENSE)
        time.sleep(0.2)
        full.sendall(GOODBYE)

        wait_until_cut(full)

    def test_is_cut_soon_when_it_will_say_nothing_more(self, full):
        full.shutdown(socket.SHUT_WR)

        wait_until_cut(full)


def wait_until_full(raw):
    """Wait until nothing more comes, since nobody takes it."""
    before, count = 0, array("i", [0])
    deadline = time.monotonic() + 60
    while not before or before != count[0]:
        assert time.monotonic() < deadline
        before = count[0]
        time.sleep(0.3)
        ioctl(raw, FIONREAD, count)
