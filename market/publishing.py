"""Puts frames on the channel and keeps the hash for latecomers, as one step that is fenced."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import numpy as np
import redis

from market import frames
from market.frames import Frame

# An earlier leader that was only asleep must not overwrite a later one; and a hash that has gone,
# with a restarted Redis, must be written whole again. A Redis that hung does late what we have long
# given up, on several connections in any order: what is no news by then is left out. All rows come
# as one text and are cut here, since it is the arguments that cost most; HSET takes a limited
# number of them.
_SCRIPT: Final = """
local known = redis.call('HMGET', KEYS[1], 'fence', 'head')
local held = tonumber(known[1] or '0')
local fence, is_full, frame = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[4]
local numbers, rows, width = ARGV[6], ARGV[7], tonumber(ARGV[8])
if held > fence then return -1 end
if held < fence and not is_full then return 0 end
if held == fence and known[2] then
    local _, began, seq = struct.unpack('<I4I8I8', ARGV[3], 9)
    local _, known_began, known_seq = struct.unpack('<I4I8I8', known[2], 9)
    if began == known_began and seq <= known_seq then return 1 end
end
if is_full then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'head', ARGV[3])
local last = #numbers / 4 - 1
for first = 0, last, 500 do
    local fields = {}
    for i = first, math.min(first + 499, last) do
        fields[#fields + 1] = struct.unpack('<I4', numbers, i * 4 + 1)
        fields[#fields + 1] = string.sub(rows, i * width + 1, (i + 1) * width)
    end
    redis.call('HSET', KEYS[1], unpack(fields))
end
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
    by_number = dict(rows)
    head = Frame(
        frame.epoch,
        frame.seq,
        frame.as_of_ns,
        frame.sent_ms,
        is_stale=frame.is_stale,
        day=frame.day,
    )
    arguments: list[Any] = [
        frame.epoch.fence,
        "1" if frame.is_full else "0",
        frames.encode(head),
        frames.encode(frame),
        frame.sent_ms / 1000 if not frame.is_stale else frame.as_of_ns / 1e9,
        np.fromiter(by_number, dtype="<u4", count=len(by_number)).tobytes(),
        b"".join(by_number.values()),
        frames.ROW.itemsize,
    ]
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
