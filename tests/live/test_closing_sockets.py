"""A client may leave in the middle of being refused."""

import json

from websockets.frames import Frame, Opcode
from websockets.sync.client import connect


def test_a_bad_frame_and_a_goodbye_in_one_packet_end_quietly(port, account, token, caplog):
    url = f"ws://127.0.0.1:{port}/ws/portfolio/{account.pk}"
    bad = Frame(Opcode.TEXT, json.dumps({"type": "nonsense"}).encode()).serialize(mask=True)
    goodbye = Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")).serialize(mask=True)

    with connect(url, proxy=None) as client:
        client.send(json.dumps({"type": "auth", "token": token}))
        assert "total_value" in client.recv(timeout=10)
        client.socket.sendall(bad + goodbye)
        client.recv_events_thread.join(10)

    assert client.close_code == 1000
    assert "Exception in ASGI application" not in caplog.text
