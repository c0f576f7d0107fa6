"""How late an event loop gets to what is due: what every socket of the process waits for."""

import asyncio
from typing import Final
from weakref import WeakSet

from core import metrics

_EVERY_SECONDS: Final = 0.25
_watched: Final[WeakSet[asyncio.AbstractEventLoop]] = WeakSet()


async def watch() -> None:
    """Measure the running loop from now on, as long as it runs; repeating this is harmless."""
    loop = asyncio.get_running_loop()
    if loop not in _watched:
        _watched.add(loop)
        _ask_again(loop)


def _ask_again(loop: asyncio.AbstractEventLoop) -> None:
    # A timer and no task: it holds nothing up when the loop ends.
    loop.call_later(_EVERY_SECONDS, _note, loop, loop.time() + _EVERY_SECONDS)


def _note(loop: asyncio.AbstractEventLoop, due: float) -> None:
    metrics.LOOP_LAG.observe(max(0.0, loop.time() - due))
    _ask_again(loop)
