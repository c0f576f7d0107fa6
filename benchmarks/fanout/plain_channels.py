"""The usual way with Channels, to compare with: a group per account, a `group_send` per value."""

import asyncio
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clera.settings.local")

import django

django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path


class Value(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Joins the group of its account and passes on what comes."""

    async def connect(self) -> None:
        await self.accept()
        await self.channel_layer.group_add(self._group, self.channel_name)
        await self.send(text_data='{"type":"ready"}')

    async def disconnect(self, _code: int) -> None:
        await self.channel_layer.group_discard(self._group, self.channel_name)

    async def account_value(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])

    @property
    def _group(self) -> str:
        return f"account.{self.scope['url_route']['kwargs']['account_id']}"


application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("ws/portfolio/<str:account_id>", Value.as_asgi())])}
)


async def feed() -> None:
    """Send what comes on standard input: lines of an account, a tab and the text for it."""
    layer = get_channel_layer()
    reader = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        account, _, text = line.rstrip(b"\n").partition(b"\t")
        event = {"type": "account.value", "text": text.decode()}
        await layer.group_send(f"account.{account.decode()}", event)


if __name__ == "__main__":
    asyncio.run(feed())
