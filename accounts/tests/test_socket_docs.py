"""The API documentation knows the socket of account events as it is."""

from django.conf import settings


def test_every_type_of_message_is_described():
    text = settings.SPECTACULAR_SETTINGS["DESCRIPTION"]

    assert "/ws/account/{account_id}" in text
    assert "/api/account/{account_id}/events" in text
    types = ["auth", "hello", "event", "reset", "heartbeat", "heartbeat_ack", "error"]
    assert [name for name in types if f"`{name}`" not in text and f'"{name}"' not in text] == []
