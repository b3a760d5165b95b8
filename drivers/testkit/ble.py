"""Bluetooth for driver tests: a fake BlePeer that obeys the port's rules, and the checks that every BlePeer must pass.
Its counterpart for what is only heard is advert.py.

The checks run on the fake, on the first-party bus over an emulated radio, and on whatever a third party writes: give
each a BleWorld, which is a peer together with a hand on its other end.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

from drivers.testkit.advert import FakeNotes
from gateway.spi import BlePeer, LinkError, LinkLost, Notification

ENDS_S = 30.0  # longer than any call of a peer may take

OnWrite = Callable[[str, bytes], list[tuple[str, bytes]]]


class FakePeer:
    """A peripheral in memory. `values`: characteristic -> what reading it gives.

    `on_write(uuid, data)` returns the notifications that a write causes. lose() ends everything as a lost link does.
    """

    def __init__(self, values: Mapping[str, bytes], on_write: OnWrite | None = None, address: str = "C0:00:00:00:00:01",
                 rssi_dbm: int | None = -60, notes: FakeNotes | None = None) -> None:
        self.notes = notes or FakeNotes()
        self.values = dict(values)
        self.written: list[tuple[str, bytes]] = []
        self.subscribed: set[str] = set()
        self._on_write = on_write or (lambda _uuid, _data: [])
        self._address, self._rssi_dbm = address, rssi_dbm
        self._arrived: asyncio.Queue[Notification | None] = asyncio.Queue()
        self._lost = False

    @property
    def address(self) -> str:
        return self._address

    @property
    def rssi_dbm(self) -> int | None:
        return self._rssi_dbm

    def has(self, uuid: str) -> bool:
        return uuid in self.values

    async def read(self, uuid: str) -> bytes:
        await self._must_have(uuid)
        return self.values[uuid]

    async def write(self, uuid: str, data: bytes) -> None:
        await self._must_have(uuid)
        self.written.append((uuid, data))
        for answering, value in self._on_write(uuid, data):
            self.notify(answering, value)

    async def subscribe(self, uuid: str) -> None:
        await self._must_have(uuid)
        self.subscribed.add(uuid)

    async def notifications(self) -> AsyncIterator[Notification]:
        while (arrival := await self._arrived.get()) is not None:
            yield arrival
        self._arrived.put_nowait(None)
        raise _lost()

    def notify(self, uuid: str, data: bytes, mono_s: float | None = None) -> None:
        """Let the peripheral send; unsubscribed characteristics stay silent."""
        if uuid in self.subscribed and not self._lost:
            now_s = asyncio.get_running_loop().time() if mono_s is None else mono_s
            self._arrived.put_nowait(Notification(now_s, uuid, data))

    def lose(self) -> None:
        self._lost = True
        self._arrived.put_nowait(None)

    async def _must_have(self, uuid: str) -> None:
        await asyncio.sleep(0)
        if self._lost:
            raise _lost()
        if uuid not in self.values:
            raise LinkError(f"no characteristic {uuid}", "none needed: it is read anew")


def _lost() -> LinkLost:
    return LinkLost("the link was lost", "come nearer")


class BleWorld(Protocol):
    """A peer under test and its other end."""

    peer: BlePeer
    readable: tuple[str, bytes]  # a characteristic and the value it has
    writable: str
    notifying: str
    absent: str

    async def accept(self) -> bytes:
        """Something that `writable` takes."""

    async def send(self, number: int) -> None:
        """Let `notifying` send so many notifications, or wait until it has by itself."""

    async def lose(self) -> None:
        """Break the link."""


async def a_value_is_read_as_it_is(world: BleWorld) -> None:
    uuid, value = world.readable
    _must(await world.peer.read(uuid) == value, "reads what the peer holds")


async def only_offered_characteristics_are_there(world: BleWorld) -> None:
    _must(world.peer.has(world.readable[0]) and world.peer.has(world.notifying), "has what is offered")
    _must(not world.peer.has(world.absent), "has nothing else")


async def a_missing_characteristic_is_an_error_of_the_contract(world: BleWorld) -> None:
    error = await _error_of(world.peer.read(world.absent))
    _must(isinstance(error, LinkError), f"LinkError, not {error!r}")


async def notifications_come_in_order_of_arrival(world: BleWorld) -> None:
    await world.peer.subscribe(world.notifying)
    await world.send(3)
    arrivals = world.peer.notifications()
    got = [await anext(arrivals) for _ in range(3)]
    stamps = [arrival.mono_s for arrival in got]
    _must({arrival.uuid for arrival in got} == {world.notifying}, "names the characteristic, 128-bit, lower case")
    _must(stamps == sorted(stamps), "in order of arrival")


async def a_notification_is_stamped_when_it_comes_not_when_it_is_taken(world: BleWorld) -> None:
    loop = asyncio.get_running_loop()  # its clock is CLOCK_MONOTONIC
    asked_s = loop.time()
    await world.peer.subscribe(world.notifying)
    await world.send(1)
    await asyncio.sleep(0.3)
    taken_late_s = loop.time()
    arrival = await anext(world.peer.notifications())
    _must(asked_s <= arrival.mono_s < taken_late_s - 0.2, "mono_s is the time of arrival")


async def a_write_returns_when_the_peer_has_it(world: BleWorld) -> None:
    await world.peer.write(world.writable, await world.accept())


async def a_lost_link_ends_the_iterator(world: BleWorld) -> None:
    await world.peer.subscribe(world.notifying)
    arrivals = world.peer.notifications()
    waiting = asyncio.ensure_future(_drain(arrivals))
    await asyncio.sleep(0.05)
    await world.lose()
    _must(isinstance(await _error_of(waiting), LinkLost), "the iterator raises LinkLost")


async def a_lost_link_ends_every_later_iterator_too(world: BleWorld) -> None:
    await world.lose()
    for _ in range(2):
        error = await _error_of(_drain(world.peer.notifications()))
        _must(isinstance(error, LinkLost), "a lost peer stays lost")


async def what_arrived_before_the_loss_is_still_given(world: BleWorld) -> None:
    await world.peer.subscribe(world.notifying)
    await world.send(2)
    await asyncio.sleep(0.1)
    await world.lose()
    got = 0
    try:
        async for _arrival in world.peer.notifications():
            got += 1
    except LinkLost:
        pass
    _must(got >= 2, "drops nothing that had arrived")


async def a_lost_link_ends_every_call(world: BleWorld) -> None:
    await world.lose()
    await _error_of(_drain(world.peer.notifications()))  # the loss is known from here on
    for call in (world.peer.read(world.readable[0]), world.peer.write(world.writable, b"\1"),
                 world.peer.subscribe(world.notifying)):
        _must(isinstance(await _error_of(call), LinkLost), "every call raises LinkLost")


CHECKS: tuple[Callable[[BleWorld], Awaitable[None]], ...] = (
    a_value_is_read_as_it_is,
    only_offered_characteristics_are_there,
    a_missing_characteristic_is_an_error_of_the_contract,
    notifications_come_in_order_of_arrival,
    a_notification_is_stamped_when_it_comes_not_when_it_is_taken,
    a_write_returns_when_the_peer_has_it,
    a_lost_link_ends_the_iterator,
    a_lost_link_ends_every_later_iterator_too,
    what_arrived_before_the_loss_is_still_given,
    a_lost_link_ends_every_call,
)
"""Run each on a fresh world."""


def _must(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(f"the port breaks its rule: {rule}")


async def _drain(arrivals: AsyncIterator[Notification]) -> None:
    async for _arrival in arrivals:
        pass


async def _error_of(call: Awaitable[object]) -> BaseException | None:
    """What a call raises, within the time that any call may take."""
    try:
        async with asyncio.timeout(ENDS_S):
            await call
    except (LinkError, TimeoutError) as error:
        return error
    return None
