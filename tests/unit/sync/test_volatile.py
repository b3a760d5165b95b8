"""The outbox in memory: while the disk takes nothing, no alarm is refused and none is forgotten too early."""

import pytest

from gateway.model.event import Lane
from gateway.sync.volatile import CAPACITY, VolatileOutbox
from tests.unit.sync.kit import event


async def test_memory_takes_every_alarm_and_of_the_rest_what_fits() -> None:
    outbox = VolatileOutbox()
    outbox.put([event(f"e{n}") for n in range(CAPACITY + 5)])
    outbox.put([event(f"a{n}", Lane.ALARM) for n in range(CAPACITY + 5)])
    assert (outbox.waiting(Lane.EVENT), outbox.refused) == (CAPACITY, 5)
    assert outbox.waiting(Lane.ALARM) == CAPACITY + 5
    rows = await outbox.next_rows({Lane.ALARM: 0}, 10_000)
    assert [row.seq for row in rows] == list(range(1, CAPACITY + 6))


async def test_memory_settles_as_the_store_does() -> None:
    outbox = VolatileOutbox()
    outbox.put([event("a"), event("b"), event("a"), event("c")])
    assert await outbox.settle("another", Lane.EVENT, 2, 3) == []
    assert await outbox.settle(outbox.epoch, Lane.EVENT, 2, 1) == []
    assert await outbox.settle(outbox.epoch, Lane.EVENT, 2, 3) == ["a", "b"]
    assert await outbox.settle(outbox.epoch, Lane.EVENT, 1, 3) == []
    (left,) = await outbox.next_rows({Lane.EVENT: 0}, 10)
    assert (left.event.id, left.seq, left.settled) == ("c", 3, 2)


def test_what_cannot_travel_fails_before_it_is_taken() -> None:
    outbox = VolatileOutbox()
    bad = event()
    bad.data["strange"] = object()
    with pytest.raises(TypeError):
        outbox.put([bad])
    assert outbox.waiting(Lane.EVENT) == 0
