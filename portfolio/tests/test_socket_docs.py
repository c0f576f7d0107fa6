"""The API documentation knows the socket as it is."""

from django.conf import settings

from portfolio import consumers
from portfolio.live import seats

CLOSES = {
    consumers._BAD_FRAME,
    consumers._NOT_YOURS,
    consumers._TOO_MANY,
    consumers._TRY_LATER,
    consumers._UNAUTHENTICATED,
    *consumers._IN_QUERY.values(),
    seats.SLOW,
    seats.EXPIRED,
}


def test_every_code_that_closes_the_socket_is_described():
    text = settings.SPECTACULAR_SETTINGS["DESCRIPTION"]

    assert "/ws/portfolio/{account_id}" in text
    assert [code for code in sorted(CLOSES) if str(code) not in text] == []


def test_every_type_of_message_is_described():
    text = settings.SPECTACULAR_SETTINGS["DESCRIPTION"]
    types = ["auth", "snapshot", "update", "heartbeat", "heartbeat_ack", "error"]

    assert [name for name in types if f"`{name}`" not in text and f'"{name}"' not in text] == []
