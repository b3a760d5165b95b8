"""Advertisements for driver tests: a fake AdvertPort that obeys the port's rules, and the checks for every AdvertPort.

Give each check an AdvertWorld, which is a port together with a hand on the advertiser.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from gateway.spi import Advertisement, AdvertPort, LinkLost

ENDS_S = 30.0  # longer than an emulated radio takes for anything


class FakeNotes:
    """Notes in memory; hand the same ones to the next port, as a restarted daemon would."""

    def __init__(self, note: bytes = b"") -> None:
        self.note = note

    def recall(self) -> bytes:
        return self.note

    def keep(self, note: bytes) -> None:
        self.note = note


class FakeAdverts:
    """An advertiser in memory. say() is one advertisement; lose() ends the port as a bus that goes down does."""

    def __init__(self, address: str = "C0:00:00:00:00:01", notes: FakeNotes | None = None) -> None:
        self._address, self.notes = address, notes or FakeNotes()
        self._heard: asyncio.Queue[Advertisement | None] = asyncio.Queue()

    @property
    def address(self) -> str:
        return self._address

    async def advertisements(self) -> AsyncIterator[Advertisement]:
        while (heard := await self._heard.get()) is not None:
            yield heard
        self._heard.put_nowait(None)
        raise LinkLost("the bus went down", "wait")

    def say(self, service_data: dict[str, bytes], mono_s: float | None = None, rssi_dbm: int = -60) -> None:
        now_s = asyncio.get_running_loop().time() if mono_s is None else mono_s
        self._heard.put_nowait(Advertisement(now_s, rssi_dbm, None, service_data))

    def lose(self) -> None:
        self._heard.put_nowait(None)


class AdvertWorld(Protocol):
    """A port under test and its advertiser."""

    port: AdvertPort
    uuid: str  # of the service data that say() advertises

    async def say(self, data: bytes) -> None:
        """Advertise this from now on."""

    async def lose(self) -> None:
        """End the port."""


async def what_is_said_is_heard(world: AdvertWorld) -> None:
    await world.say(b"\1\2\3")
    _must((await _next(world, b"\1\2\3")).service_data[world.uuid] == b"\1\2\3", "gives the service data as it is")


async def what_changes_is_heard_in_order(world: AdvertWorld) -> None:
    for data in (b"\1", b"\2", b"\3"):
        await world.say(data)
        await _next(world, data)


async def an_advertisement_is_stamped_when_it_comes_not_when_it_is_taken(world: AdvertWorld) -> None:
    loop = asyncio.get_running_loop()
    asked_s = loop.time()
    await world.say(b"\1")
    await asyncio.sleep(1.0)
    heard = await _next(world, b"\1")
    _must(asked_s <= heard.mono_s < loop.time() - 0.2, "mono_s is the time of arrival")


async def a_lost_port_ends_every_iterator(world: AdvertWorld) -> None:
    await world.lose()
    for _ in range(2):
        try:
            async with asyncio.timeout(ENDS_S):
                async for _heard in world.port.advertisements():
                    pass
        except LinkLost:
            continue
        _must(False, "a lost port raises LinkLost")


async def a_note_is_recalled(world: AdvertWorld) -> None:
    world.port.notes.keep(b"\x2a")
    _must(world.port.notes.recall() == b"\x2a", "gives back what was kept last")


CHECKS: tuple[Callable[[AdvertWorld], Awaitable[None]], ...] = (
    what_is_said_is_heard,
    what_changes_is_heard_in_order,
    an_advertisement_is_stamped_when_it_comes_not_when_it_is_taken,
    a_lost_port_ends_every_iterator,
    a_note_is_recalled,
)
"""Run each on a fresh world."""


async def _next(world: AdvertWorld, data: bytes) -> Advertisement:
    """The first advertisement with this service data."""
    async with asyncio.timeout(ENDS_S):
        async for heard in world.port.advertisements():
            if heard.service_data.get(world.uuid) == data:
                return heard
    raise AssertionError("the port ended")


def _must(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(f"the port breaks its rule: {rule}")
