"""
What somebody who watches a run sees: frames in a Redis stream, from the first or any later one.

The stream is a convenience with a short life. The answer is in PostgreSQL, so a lost frame, or all
of Redis, only makes the watching less lively.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import redis
import redis.asyncio
import structlog
from django.conf import settings

from core import exact_json, realtime

logger = structlog.get_logger()
LIFE_SECONDS: Final = 3600
FIRST: Final = "0"
ENDINGS: Final = frozenset({"messages_complete", "error"})
_POSITION = re.compile(r"\d{1,15}-\d{1,10}", re.ASCII)
_BLOCK_MS: Final = 1000
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing to show; `position` is its place in the stream, where the watcher goes on."""

    type: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    position: str = ""

    @property
    def is_ending(self) -> bool:
        return self.type in ENDINGS

    def as_json(self) -> str:
        """Write it as the original's frontend reads it."""
        return exact_json.dumps({"type": self.type, "data": self.data, "metadata": self.metadata})


def key_of(run_id: UUID) -> str:
    """Name the stream of a run."""
    return f"clera:run:{run_id}"


def position_in(text: str | None) -> str:
    """Read a Last-Event-ID; anything but one of our positions means from the start."""
    return text if text and _POSITION.fullmatch(text) else FIRST


def append(run_id: UUID, frame: Frame) -> None:
    """Show a frame to whoever watches; with Redis away it is lost, which is logged."""
    try:
        pipe = realtime.connection().pipeline(transaction=False)
        pipe.xadd(key_of(run_id), {"frame": frame.as_json()})
        pipe.expire(key_of(run_id), LIFE_SECONDS)
        pipe.execute()
    except redis.RedisError as error:
        logger.warning("run.frame_lost", run_id=str(run_id), error=type(error).__name__)


def wait_for_ending(run_id: UUID, *, seconds: float) -> bool:
    """Wait until the run's last frame is there; false when it takes longer or Redis is away."""
    position, deadline = FIRST, time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            found = realtime.connection().xread(
                {key_of(run_id): position},
                block=max(1, min(_BLOCK_MS, round(left * 1000))),
                count=_BATCH,
            )
        except redis.RedisError:
            return False
        for frame in _frames_in(found):
            position = frame.position
            if frame.is_ending:
                return True
    return False


async def follow(run_id: UUID, *, after: str) -> AsyncGenerator[Frame | None]:
    """
    Yield every frame after a position, and nothing (`None`) after each second of silence.

    Ends with the run's last frame. Its connection is its own and ends with it, since an
    asynchronous client belongs to the loop that made it.

    :raises redis.RedisError: Redis cannot be reached.
    """
    client = redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2
    )
    async with client:
        position = after
        while True:
            found = await client.xread({key_of(run_id): position}, block=_BLOCK_MS, count=_BATCH)
            frames = _frames_in(found)
            for frame in frames:
                position = frame.position
                yield frame
                if frame.is_ending:
                    return
            if not frames:
                yield None


async def follow_patiently(run_id: UUID, *, after: str) -> AsyncGenerator[Frame | None]:
    """Like `follow`, but with Redis away it is silent and tries again each second."""
    position = after
    while True:
        try:
            async with aclosing(follow(run_id, after=position)) as frames:
                async for frame in frames:
                    position = frame.position if frame else position
                    yield frame
        except redis.RedisError as error:
            logger.warning("run.stream_unreachable", error=type(error).__name__)
        else:
            return
        await asyncio.sleep(1)
        yield None


def _frames_in(found: Any) -> list[Frame]:
    """Read XREAD's answer, which is a list under RESP2 and a map under RESP3."""
    streams = found.items() if isinstance(found, dict) else found or ()
    frames = []
    for _, entries in streams:
        batch = entries[0] if isinstance(found, dict) else entries
        for position, fields in batch:
            content = json.loads(fields[b"frame"])
            frames.append(Frame(**content, position=position.decode()))
    return frames
