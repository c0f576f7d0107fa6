"""Server-sent events with their comment lines, in which Alpaca reports lost data."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MAX_EVENT_CHARS = 256 * 1024
_LONGEST_LINE = MAX_EVENT_CHARS + 64
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Message:
    """One event: its id line, if any, and its data lines joined."""

    id: str
    data: str


@dataclass(frozen=True)
class Comment:
    """One comment line without its colon, such as `heartbeat`."""

    text: str


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """
    Cut a stream into lines where server-sent events end them: at CR, LF, or both together.

    No other character ends a line; JSON may have any of those that Python would split at.
    """
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    rest, ended_in_cr = "", False
    for chunk in chunks:
        text = decode(chunk)
        if not text:
            continue
        if ended_in_cr:
            text = text.removeprefix("\n")  # the other half of that line's end
        ended_in_cr = text.endswith("\r")
        *whole, rest = _LINE_END.split(rest + text)
        yield from whole
        rest = rest[:_LONGEST_LINE]  # an event of that size is dropped in any case


def parse(lines: Iterable[str]) -> Iterator[Message | Comment]:
    """
    Turn the lines of a stream into events and comments.

    A frame cut off before its blank line is dropped: the vendor sends it again from the cursor.
    An event larger than `MAX_EVENT_CHARS` is dropped too, and reported as a comment.
    """
    frame = _Frame()
    for line in lines:
        if not line:
            yield from frame.close()
            frame = _Frame()
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name:
            frame.add(name, value)
        else:
            yield Comment(value.strip())


@dataclass
class _Frame:
    """The lines of one event so far."""

    id: str = ""
    data: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, name: str, value: str) -> None:
        if name == "id":
            self.id = value
        elif name == "data":
            self.size += len(value)
            if self.size <= MAX_EVENT_CHARS:
                self.data.append(value)

    def close(self) -> Iterator[Message | Comment]:
        if self.size > MAX_EVENT_CHARS:
            yield Comment("dropped 1 message: too large")
        elif self.data:
            yield Message(self.id, "\n".join(self.data))
