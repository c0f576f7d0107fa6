"""Those who ask together are answered together, in the order of their coming."""

import asyncio

import pytest

from core.batches import Batches
from core.errors import NotFound, ServiceBusy
from core.waiting_room import WaitingRoom

pytestmark = pytest.mark.asyncio


class Desk:
    """Answers each number with its double once it is let, and notes the batches that it got."""

    def __init__(self):
        self.batches, self.open = [], asyncio.Event()

    async def answer_all(self, numbers):
        self.batches.append(list(numbers))
        await self.open.wait()
        if -1 in numbers:
            raise RuntimeError("the desk burns")
        return [NotFound("odd") if n % 2 else n * 2 for n in numbers]


def crowd(place, numbers, *, is_wanted=lambda _: True):
    return [asyncio.create_task(place.ask(n, is_wanted=lambda n=n: is_wanted(n))) for n in numbers]


async def settled(tasks):
    return await asyncio.gather(*tasks, return_exceptions=True)


async def pause():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_while_batches_are_on_their_way_shares_the_next():
    desk = Desk()
    batches = Batches(desk.answer_all, at_once=2, most=4)
    tasks = crowd(batches, [0])
    await pause()
    tasks += crowd(batches, [2])
    await pause()
    tasks += crowd(batches, [4, 6, 8, 10, 12, 14])
    await pause()
    assert desk.batches == [[0], [2]]
    assert batches.waiting == 6

    desk.open.set()
    assert await settled(tasks) == [0, 4, 8, 12, 16, 20, 24, 28]
    assert desk.batches == [[0], [2], [4, 6, 8, 10], [12, 14]]

    assert await batches.ask(16) == 32
    assert desk.batches[-1] == [16]


async def test_each_gets_its_own_error_and_the_others_their_answers():
    desk = Desk()
    desk.open.set()
    batches = Batches(desk.answer_all, at_once=1, most=10)

    told = await settled(crowd(batches, [2, 3, 4]))

    assert [told[0], told[2]] == [4, 8]
    assert isinstance(told[1], NotFound)


async def test_a_batch_that_fails_fails_for_all_in_it_and_for_nobody_else():
    desk = Desk()
    batches = Batches(desk.answer_all, at_once=1, most=3)
    tasks = crowd(batches, [0, -1, 2, 4])
    desk.open.set()

    told = await settled(tasks)

    assert [type(one) for one in told] == [RuntimeError] * 3 + [int]
    assert await batches.ask(6) == 12


async def test_nothing_is_asked_for_those_who_have_left():
    desk, gone = Desk(), {2, 6}
    batches = Batches(desk.answer_all, at_once=1, most=10)
    tasks = crowd(batches, [0])
    await pause()
    tasks += crowd(batches, [2, 4, 6, 8], is_wanted=lambda n: n not in gone)
    await pause()
    tasks[4].cancel()
    desk.open.set()

    told = await settled(tasks)

    assert desk.batches == [[0], [4]]
    kinds = [int, ServiceBusy, int, ServiceBusy, asyncio.CancelledError]
    assert [type(one) for one in told] == kinds


async def test_whoever_would_wait_too_long_is_sent_away_at_once():
    desk = Desk()
    room = WaitingRoom(desk.answer_all, at_once=1, most=10, most_waiting=300)
    tasks = crowd(room, [0])
    await pause()
    tasks += crowd(room, range(2, 602, 2))
    await pause()

    with pytest.raises(ServiceBusy) as sent_away:
        await room.ask(4, is_wanted=lambda: True)
    assert sent_away.value.retry_after_seconds == 2  # most of three hundred, 150 a second

    desk.open.set()
    assert await settled(tasks) == [n * 2 for n in range(0, 602, 2)]
    assert await room.ask(4, is_wanted=lambda: True) == 8


async def test_those_who_have_left_do_not_say_how_fast_the_others_get_in():
    desk = Desk()
    room = WaitingRoom(desk.answer_all, at_once=1, most=10, most_waiting=300)
    tasks = crowd(room, [0])
    await pause()
    tasks += crowd(room, range(2, 602, 2), is_wanted=lambda _: False)
    await pause()
    await asyncio.sleep(0)
    desk.open.set()
    await settled(tasks)
    desk.open.clear()
    full = crowd(room, [0])
    await pause()
    full += crowd(room, range(2, 602, 2))
    await pause()

    with pytest.raises(ServiceBusy) as sent_away:
        await room.ask(4, is_wanted=lambda: True)

    assert sent_away.value.retry_after_seconds == 2
    desk.open.set()
    await settled(full)


async def test_when_it_is_ended_nobody_waits_for_ever_and_the_next_are_answered():
    desk = Desk()
    batches = Batches(desk.answer_all, at_once=1, most=2)
    tasks = crowd(batches, [0, 2, 4])
    await pause()
    (running,) = batches._running
    running.cancel()
    desk.open.set()

    told = await settled(tasks)

    assert [type(one) for one in told] == [ServiceBusy, ServiceBusy, int]
    assert await batches.ask(6) == 12


async def test_a_desk_that_answers_too_few_fails_for_all():
    async def answer_all(numbers):
        return numbers[1:]

    told = await settled(crowd(Batches(answer_all, at_once=1, most=5), [1, 2]))

    assert [type(one) for one in told] == [ValueError] * 2
