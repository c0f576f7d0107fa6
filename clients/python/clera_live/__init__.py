"""
Clera's live values for Python; it needs `httpx` and `websockets`.

    async with LiveClient("https://api.clera.example", account="0197…", token=token) as live:
        async for value in live:
            print(value["total_value"], value["stale"])

It signs in, reconnects, renews the token, polls while no socket can be had, and never shows a
value older than one it has shown. clients/README.md tells the whole.
"""

from clera_live.book import Book, Position, Value, order_of
from clera_live.client import LiveClient, State
from clera_live.pauses import Timing, pause_after
from clera_live.problems import Problem, Refused

__all__ = [
    "Book",
    "LiveClient",
    "Position",
    "Problem",
    "Refused",
    "State",
    "Timing",
    "Value",
    "order_of",
    "pause_after",
]
