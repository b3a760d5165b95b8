"""The tail: every watcher sees every fact, or how many it missed."""

import asyncio

from gateway.ops.tail import KEPT, Fact, Tail


def fact(number: int) -> Fact:
    return Fact(float(number), "event", "gateway", f"fact {number}")


async def test_each_watcher_sees_every_fact_in_order() -> None:
    tail = Tail()
    first, second = tail.watch(), tail.watch()
    waiting = [asyncio.ensure_future(anext(first)), asyncio.ensure_future(anext(second))]
    await asyncio.sleep(0)
    for number in range(3):
        tail.tell(fact(number))
    assert [await task for task in waiting] == [fact(0), fact(0)]
    assert [await anext(first), await anext(first)] == [fact(1), fact(2)]
    await first.aclose()
    await second.aclose()


async def test_a_slow_watcher_is_told_what_it_missed_and_blocks_nobody() -> None:
    tail = Tail()
    watch = tail.watch()
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    for number in range(KEPT + 5):
        tail.tell(fact(number))
    told = await waiting
    assert told.what == "fault"
    assert told.text.startswith("5 lines missed")
    assert await anext(watch) == fact(0)
    await watch.aclose()


async def test_a_watcher_that_leaves_is_forgotten() -> None:
    tail = Tail()
    watch = tail.watch()
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    tail.tell(fact(1))
    await waiting
    await watch.aclose()
    assert not tail._watchers
