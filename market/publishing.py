"""Puts frames on the channel and keeps the hash for latecomers, as one step that is fenced."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import redis

from market import frames
from market.frames import Frame

# An earlier leader that was only asleep must not overwrite a later one; and a hash that has gone,
# with a restarted Redis, must be written whole again. HSET takes a limited number of arguments.
_SCRIPT: Final = """
local held = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
local fence, is_full, frame = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[4]
if held > fence then return -1 end
if held < fence and not is_full then return 0 end
if is_full then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'head', ARGV[3])
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('SET', KEYS[2], ARGV[5])
redis.call('PUBLISH', KEYS[3], frame)
return 1
"""
_FENCED_OFF: Final = -1
_HASH_IS_GONE: Final = 0


class FencedOff(Exception):
    """A later leader publishes now."""


class HashIsGone(Exception):
    """Redis has lost the hash, so the next frame must be a full one."""


def publish(connection: "redis.Redis", frame: Frame, rows: Iterable[tuple[int, bytes]]) -> None:
    """
    Publish a frame and write the rows of what it changed.

    :raises FencedOff: a later leader has published.
    :raises HashIsGone: publish a full frame instead.
    """
    head = frames.encode(
        Frame(frame.epoch, frame.seq, frame.as_of_ns, frame.sent_ms, is_stale=frame.is_stale)
    )
    arguments: list[Any] = [
        frame.epoch.fence,
        "1" if frame.is_full else "0",
        head,
        frames.encode(frame),
        frame.sent_ms / 1000 if not frame.is_stale else frame.as_of_ns / 1e9,
    ]
    for number, data in rows:
        arguments += [number, data]
    outcome = _script(connection)(
        keys=[frames.SNAPSHOT_KEY, frames.AS_OF_KEY, frames.CHANNEL], args=arguments
    )
    if outcome == _FENCED_OFF:
        raise FencedOff
    if outcome == _HASH_IS_GONE:
        raise HashIsGone


@lru_cache(maxsize=4)
def _script(connection: "redis.Redis") -> Any:
    return connection.register_script(_SCRIPT)
