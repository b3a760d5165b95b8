"""Who may connect: few links, one request at a time, urgent devices first."""

import asyncio

import pytest

from drivers.bus.ble.slots import LEARNED_S, Slot, Slots
from gateway.spi import BusUnavailable


class World:
    """A controller of so many links, and who was asked to let go."""

    def __init__(self, limit: int) -> None:
        self.now_s = 0.0
        self.asked: list[str] = []
        self.slots = Slots(limit, lambda: self.now_s)

    def slot(self, device: str, urgent: bool = False) -> Slot:
        return Slot(device, urgent, lambda _reason, _cure: self.asked.append(device))

    async def up(self, device: str, urgent: bool = False) -> Slot:
        """A device that is connected."""
        slot = self.slot(device, urgent)
        await asyncio.wait_for(self.slots.take(slot), 1)
        self.slots.connected(slot)
        return slot

    async def asks(self, slot: Slot) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(self.slots.take(slot))
        await asyncio.sleep(0)
        return task


async def test_one_device_connects_at_a_time() -> None:
    world = World(7)
    first, second = world.slot("belt"), world.slot("scale")
    await world.slots.take(first)
    waiting = await world.asks(second)
    assert not waiting.done()
    world.slots.connected(first)
    await waiting
    assert world.asked == []


async def test_an_urgent_device_takes_the_slot_of_the_oldest_that_is_not_urgent() -> None:
    world = World(3)
    await world.up("bracelet", urgent=True)
    belt = await world.up("belt")
    await world.up("scale")
    waiting = await world.asks(world.slot("pendant", urgent=True))
    assert world.asked == ["belt"]
    assert not waiting.done(), "not before the slot is given back"
    world.slots.give_back(belt)
    await waiting
    assert world.asked == ["belt"]


async def test_a_second_urgent_device_takes_the_next_slot_when_the_first_has_its_own() -> None:
    world = World(2)
    belt, scale = await world.up("belt"), await world.up("scale")
    first, second = world.slot("one", urgent=True), world.slot("two", urgent=True)
    waiting = [await world.asks(first), await world.asks(second)]
    world.slots.give_back(belt)
    await waiting[0]
    world.slots.connected(first)
    assert world.asked == ["belt", "scale"]
    world.slots.give_back(scale)
    await waiting[1]


async def test_an_urgent_device_ends_the_attempt_of_one_that_is_not() -> None:
    world = World(7)
    scale = world.slot("scale")
    await world.slots.take(scale)
    waiting = await world.asks(world.slot("bracelet", urgent=True))
    assert world.asked == ["scale"]
    world.slots.give_back(scale)
    await waiting


async def test_the_attempt_of_an_urgent_device_is_not_disturbed() -> None:
    world = World(7)
    await world.slots.take(world.slot("one", urgent=True))
    waiting = await world.asks(world.slot("two", urgent=True))
    assert world.asked == []
    waiting.cancel()


async def test_who_is_not_urgent_disturbs_nobody_and_waits_for_room() -> None:
    world = World(1)
    belt = await world.up("belt")
    waiting = await world.asks(world.slot("scale"))
    assert world.asked == []
    assert world.slots.health()["waiting_for_room"] == ["scale"]
    world.slots.give_back(belt)
    await waiting
    assert world.slots.health()["waiting_for_room"] == []


async def test_urgent_devices_are_served_before_those_that_asked_earlier() -> None:
    world = World(1)
    bracelet = await world.up("bracelet", urgent=True)
    scale, pendant = await world.asks(world.slot("scale")), await world.asks(world.slot("pendant", urgent=True))
    assert world.asked == [], "an urgent one is never asked to go"
    world.slots.give_back(bracelet)
    await pendant
    assert not scale.done()
    scale.cancel()


async def test_a_refusal_teaches_how_many_links_there_are_and_is_forgotten_later() -> None:
    world = World(7)
    for name in ("belt", "scale", "cuff"):
        await world.up(name)
    refused = world.slot("bracelet", urgent=True)
    await world.slots.take(refused)
    world.slots.refused()
    world.slots.give_back(refused)
    assert world.slots.room == 3
    waiting = await world.asks(refused)
    assert world.asked == ["belt"]
    assert not waiting.done()
    world.now_s += LEARNED_S
    assert world.slots.room == 7
    world.slots.look()
    await waiting


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    world = World(1)
    belt = await world.up("belt")
    waiting = await world.asks(world.slot("scale"))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert world.slots.health()["waiting_for_room"] == []
    world.slots.give_back(belt)
    await world.up("cuff")


async def test_a_grant_that_meets_a_cancelled_waiter_is_given_back() -> None:
    world = World(1)
    belt = await world.up("belt")
    waiting = await world.asks(world.slot("scale"))
    world.slots.give_back(belt)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await world.up("cuff")


async def test_a_radio_that_goes_down_tells_everybody_who_waits() -> None:
    world = World(1)
    await world.up("belt")
    waiting = await world.asks(world.slot("scale"))
    world.slots.clear(BusUnavailable("down", "wait"))
    with pytest.raises(BusUnavailable):
        await waiting


async def test_who_was_asked_to_go_is_asked_once_and_nobody_else_goes_for_the_same_device() -> None:
    world = World(2)
    await world.up("belt")
    scale = world.slot("scale")
    await world.slots.take(scale)
    waiting = await world.asks(world.slot("bracelet", urgent=True))
    world.slots.look()
    world.slots.look()
    assert world.asked == ["scale"]
    world.slots.connected(scale)  # it came about just then, and goes all the same
    assert world.asked == ["scale"], "one goes, and it is not the belt too"
    assert world.slots.health()["slots_taken_over"] == 1
    world.slots.give_back(scale)
    await waiting


async def test_who_went_and_came_back_can_be_asked_again() -> None:
    world = World(1)
    belt = await world.up("belt")
    first = world.slot("bracelet", urgent=True)
    waiting = await world.asks(first)
    world.slots.give_back(belt)
    await waiting
    world.slots.give_back(first)
    await world.slots.take(belt)
    world.slots.connected(belt)
    waiting = await world.asks(first)
    assert world.asked == ["belt", "belt"]
    waiting.cancel()


async def test_a_controller_that_refuses_even_the_first_link_is_tried_again() -> None:
    world = World(7)
    bracelet = world.slot("bracelet", urgent=True)
    await world.slots.take(bracelet)
    world.slots.refused()
    world.slots.give_back(bracelet)
    assert world.slots.room == 1
    await asyncio.wait_for(world.slots.take(bracelet), 1)


async def test_a_radio_that_goes_down_just_as_a_slot_was_granted_disturbs_nothing() -> None:
    world = World(1)
    belt = await world.up("belt")
    waiting = await world.asks(world.slot("scale"))
    world.slots.give_back(belt)
    world.slots.clear(BusUnavailable("down", "wait"))
    await waiting


async def test_links_are_counted_of_all_and_of_those_that_raise_alarms() -> None:
    world = World(7)
    await world.up("bracelet", urgent=True)
    await world.up("belt")
    assert (world.slots.links(urgent_only=False), world.slots.links(urgent_only=True)) == (2, 1)
