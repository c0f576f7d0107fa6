"""The API documentation knows the socket as it is."""

from django.conf import settings

from core.sockets import codes


def test_every_code_that_closes_the_socket_is_described():
    text = settings.SPECTACULAR_SETTINGS["DESCRIPTION"]

    assert "/ws/portfolio/{account_id}" in text
    assert "`/ws/portfolio`" in text
    assert [code for code in sorted(codes.ALL) if str(code) not in text] == []


def test_every_type_of_message_is_described():
    text = settings.SPECTACULAR_SETTINGS["DESCRIPTION"]
    types = [
        *("auth", "renewed", "expiring", "draining", "error", "heartbeat", "heartbeat_ack"),
        *("snapshot", "update", "resumed", "aggregate"),
        *("subscribe", "unsubscribe", "subscribed"),
    ]

    assert [name for name in types if f"`{name}`" not in text and f'"{name}"' not in text] == []
