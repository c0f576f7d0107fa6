"""The simulated clock: real time by default, faster or further ahead on request."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

# Real seconds after which a sleeper looks at the clock again, should a wake-up get lost.
_LONGEST_NAP_SECONDS = 60.0


def _real_now() -> datetime:
    return datetime.now(UTC)


class SimClock:
    """
    Time of the pretend world: it flows `speed` times as fast as real time and can be moved ahead.

    It never runs backwards. `speed=0` stops it, so that only `advance` moves it.
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        start: datetime | None = None,
        real_now: Callable[[], datetime] = _real_now,
    ) -> None:
        self._real_now = real_now
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._anchor = start or real_now()
        self._anchor_monotonic = time.monotonic()
        self._speed = _checked_speed(speed)

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in a real one."""
        return self._speed

    def now(self) -> datetime:
        """Tell the simulated time in UTC."""
        passed = (time.monotonic() - self._anchor_monotonic) * self._speed
        return self._anchor + timedelta(seconds=passed)

    def advance(self, seconds: float) -> datetime:
        """Jump ahead and wake every sleeper whose time has come."""
        if seconds < 0:
            msg = "the clock cannot go back"
            raise ValueError(msg)
        self._anchor_at(self.now() + timedelta(seconds=seconds))
        return self.now()

    def set_speed(self, speed: float) -> None:
        """Change how fast simulated time flows from now on."""
        checked = _checked_speed(speed)
        self._anchor_at(self.now())
        self._speed = checked

    async def sleep(self, sim_seconds: float) -> None:
        """Wait until that much simulated time has passed, however it passes."""
        wake_at = self.now() + timedelta(seconds=sim_seconds)
        changed = asyncio.Event()
        sleeper = (asyncio.get_running_loop(), changed)
        self._sleepers.add(sleeper)
        try:
            await asyncio.sleep(0)  # others get their turn, however short the wait
            while (left := (wake_at - self.now()).total_seconds()) > 0:
                changed.clear()
                await self._nap(changed, left)
        finally:
            self._sleepers.discard(sleeper)

    def state(self) -> dict[str, Any]:
        """Give what a restart needs: the speed, and how far the clock is ahead of real time."""
        ahead = (self.now() - self._real_now()).total_seconds()
        return {"speed": self._speed, "ahead_seconds": ahead}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a remembered state; time went by at real speed in between."""
        ahead = timedelta(seconds=float(state["ahead_seconds"]))
        self._speed = _checked_speed(float(state["speed"]))
        self._anchor_at(self._real_now() + ahead)

    def _anchor_at(self, moment: datetime) -> None:
        self._anchor = moment
        self._anchor_monotonic = time.monotonic()
        for loop, changed in tuple(self._sleepers):
            loop.call_soon_threadsafe(changed.set)

    async def _nap(self, changed: asyncio.Event, sim_seconds: float) -> None:
        real_seconds = _LONGEST_NAP_SECONDS
        if self._speed > 0:
            real_seconds = min(sim_seconds / self._speed, _LONGEST_NAP_SECONDS)
        try:
            async with asyncio.timeout(real_seconds):
                await changed.wait()
        except TimeoutError:
            return


def _checked_speed(speed: float) -> float:
    if not 0 <= speed < float("inf"):
        msg = "the speed must be zero or a positive number"
        raise ValueError(msg)
    return speed
