"""What people see: each process's lines behind its name, in its colour where colours show."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

WIDTH = 8
RESET = "\x1b[0m"
BOLD = "\x1b[1m"
DIM = "\x1b[2m"
COLOURS = {
    "postgres": "\x1b[34m",
    "redis": "\x1b[31m",
    "sandbox": "\x1b[33m",
    "migrate": "\x1b[36m",
    "prepare": "\x1b[36m",
    "seed": "\x1b[36m",
    "web": "\x1b[32m",
    "worker": "\x1b[35m",
    "agents": "\x1b[95m",
    "streams": "\x1b[94m",
    "beat": "\x1b[90m",
}


def has_colours(stream: TextIO) -> bool:
    """Tell whether a person watches, who has not asked for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@dataclass
class Terminal:
    """Writes the lines of all processes, one at a time."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    on_closed: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._is_coloured = has_colours(self.stream)

    def line(self, name: str, text: str) -> None:
        """Write one line of one process."""
        self.write(f"{self.paint(COLOURS.get(name, BOLD), f'{name:<{WIDTH}} |')} {text}")

    def say(self, text: str) -> None:
        """Write one line of our own."""
        self.line("clera", text)

    def write(self, text: str) -> None:
        """Write text as it is."""
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except BrokenPipeError:  # as under `make run | head`
            self.stream = open(os.devnull, "w")  # noqa: PTH123, SIM115 - nobody reads any more
            self.on_closed()

    def paint(self, style: str, text: str) -> str:
        """Colour the text if colours show."""
        return f"{style}{text}{RESET}" if self._is_coloured else text
