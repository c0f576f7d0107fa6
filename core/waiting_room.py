"""Where a crowd waits: nobody for long, and whoever would is told when to come again."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Generic

from core.batches import Answer, AnswerAll, Asked, Batches
from core.errors import ServiceBusy

_FIRST_GUESS: Final = 150.0  # turns a second
_WINDOW_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 60.0


class WaitingRoom(Generic[Asked, Answer]):
    """
    Those who wait for an answer in one event loop; they get it in batches, in the order of coming.

    Whoever finds it full is sent away and told when to come again: each a little later than the one
    before, at the pace at which answers are given, so that they do not come together once more.
    """

    def __init__(
        self, answer_all: AnswerAll[Asked, Answer], *, at_once: int, most: int, most_waiting: int
    ) -> None:
        self._batches = Batches(answer_all, at_once=at_once, most=most)
        self._most_waiting = most_waiting
        self._pace = Pace()

    async def ask(self, asked: Asked, *, is_wanted: Callable[[], bool]) -> Answer:
        """
        Return the answer, or raise the one there is for this question.

        :raises ServiceBusy: too many wait already, or it is not wanted any more.
        """
        if self._batches.waiting >= self._most_waiting:
            seconds = self._pace.send_away(now=_now(), waiting=self._batches.waiting)
            raise ServiceBusy(retry_after_seconds=math.ceil(seconds))
        try:
            answer = await self._batches.ask(asked, is_wanted=is_wanted)
        except ServiceBusy:
            raise  # nothing was done for it, which says nothing about our pace
        except Exception:
            self._note_turn()
            raise
        self._note_turn()
        return answer

    def _note_turn(self) -> None:
        self._pace.note_turn(now=_now(), is_crowded=self._batches.waiting > 0)


class Pace:
    """How fast turns follow each other in a crowd, and until when they are promised."""

    def __init__(self) -> None:
        self._rate = _FIRST_GUESS
        self._turns = 0
        self._since: float | None = None
        self._promised_until = float("-inf")

    def note_turn(self, *, now: float, is_crowded: bool) -> None:
        """Learn from a turn that is over; only while others wait does it say how fast we are."""
        if not is_crowded:
            self._since = None
        elif self._since is None:
            self._since, self._turns = now, 0
        else:
            self._turns += 1
            if now - self._since >= _WINDOW_SECONDS:
                self._rate = self._turns / (now - self._since)
                self._since = None

    def send_away(self, *, now: float, waiting: int) -> float:
        """Promise a turn after those who wait and those who were sent away, and say in how long."""
        first = now + waiting / self._rate
        self._promised_until = max(self._promised_until + 1 / self._rate, first)
        self._promised_until = min(self._promised_until, now + _LONGEST_SECONDS)
        return self._promised_until - now


def _now() -> float:
    return asyncio.get_running_loop().time()
