"""Server-sent events with their comment lines, in which Alpaca reports lost data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MAX_EVENT_CHARS = 256 * 1024


@dataclass(frozen=True)
class Message:
    """One event: its id line, if any, and its data lines joined."""

    id: str
    data: str


@dataclass(frozen=True)
class Comment:
    """One comment line without its colon, such as `heartbeat`."""

    text: str


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
