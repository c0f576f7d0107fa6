"""Questions that many ask at about the same time are answered together, in few batches."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.errors import ServiceBusy

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
AnswerAll = Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | Exception]]]


def _always() -> bool:
    return True


@dataclass(eq=False, slots=True)
class _Asker(Generic[Asked, Answer]):
    asked: Asked
    is_wanted: Callable[[], bool]
    answer: "asyncio.Future[Answer]"


class Batches(Generic[Asked, Answer]):
    """
    Those who ask in one event loop, in the order of their coming.

    Whoever comes alone is answered at once and alone. Those who come while `at_once` batches are
    on their way wait for the next, which takes `most` of them.
    """

    def __init__(self, answer_all: AnswerAll[Asked, Answer], *, at_once: int, most: int) -> None:
        self._answer_all = answer_all
        self._free = at_once
        self._most = most
        self._waiting: deque[_Asker[Asked, Answer]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Say how many wait for a batch to take them."""
        return len(self._waiting)

    async def ask(self, asked: Asked, *, is_wanted: Callable[[], bool] = _always) -> Answer:
        """
        Return the answer, or raise the one that `answer_all` has for this question.

        Nothing is asked for those who have left meanwhile: else a crowd that gives up and comes
        again would keep us busy with what nobody waits for.

        :raises ServiceBusy: it was not wanted any more when its turn came.
        """
        asker = _Asker(asked, is_wanted, asyncio.get_running_loop().create_future())
        self._waiting.append(asker)
        self._start()
        answer: Answer = await asker.answer
        return answer

    def _start(self) -> None:
        if self._waiting and self._free:
            self._free -= 1
            task = asyncio.ensure_future(self._work())
            self._running.add(task)
            task.add_done_callback(self._rest)

    def _rest(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._free += 1
        self._start()  # somebody may have come since it looked for the last time

    async def _work(self) -> None:
        while batch := self._next():
            try:
                await self._answer(batch)
            finally:  # also when this is cancelled: nobody waits for ever
                for asker in batch:
                    if not asker.answer.done():
                        asker.answer.set_exception(ServiceBusy())

    def _next(self) -> list[_Asker[Asked, Answer]]:
        batch: list[_Asker[Asked, Answer]] = []
        while self._waiting and len(batch) < self._most:
            asker = self._waiting.popleft()
            if asker.answer.done():
                continue  # whoever asked was cancelled
            if asker.is_wanted():
                batch.append(asker)
            else:
                asker.answer.set_exception(ServiceBusy())
        return batch

    async def _answer(self, batch: list[_Asker[Asked, Answer]]) -> None:
        try:
            answers = await self._answer_all([asker.asked for asker in batch])
            pairs = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - each of them raises it
            pairs = [(asker, error) for asker in batch]
        for asker, answer in pairs:
            if asker.answer.done():
                continue
            if isinstance(answer, Exception):
                asker.answer.set_exception(answer)
            else:
                asker.answer.set_result(answer)
