"""
A broker that only tells: `python -m benchmarks.storm.source COUNT ACCOUNTS`.

It prints its port and gives every reader the events behind its cursor, as fast as they are read,
one HTTP chunk each as web servers send them, and then a heartbeat every second.
"""

import asyncio
import re
import sys
from bisect import bisect_right
from itertools import accumulate

from benchmarks.storm import story

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
)
_NOTHING = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CURSOR = re.compile(rb"since_ulid=([0-9A-Z]{26})")
_AT_ONCE = 256 * 1024


def _chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


async def serve(count: int, accounts: int) -> None:
    """Answer until the process is ended."""
    ulids, chunks = [], []
    for event in story.events(count, accounts=accounts):
        ulids.append(event["event_ulid"])
        chunks.append(_chunk(story.frame(event)))
    offsets = [0, *accumulate(map(len, chunks))]
    tape = memoryview(b"".join(chunks))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/events/" not in request:
            writer.write(_NOTHING)
            writer.close()
            return
        cursor = _CURSOR.search(request)
        place = offsets[bisect_right(ulids, cursor[1].decode()) if cursor else 0]
        writer.write(_HEAD + _chunk(b": connected\n\n"))
        try:
            while place < len(tape):
                writer.write(tape[place : place + _AT_ONCE])
                await writer.drain()
                place += _AT_ONCE
            while True:
                writer.write(_chunk(b": heartbeat\n\n"))
                await writer.drain()
                await asyncio.sleep(1)
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
