"""A ZigbeePort without a radio, and what every ZigbeePort must obey, fake or not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.spi import LinkLost, ZclMessage, ZigbeePort, ZoneStatus

ARRIVAL_S = 5.0  # within which a message must come out of a port; generous for a loaded machine


class FakeZigbeePort:
    """A joined end device that says what a test lets it say."""

    def __init__(self, manufacturer: str = "HEIMAN", model: str = "DoorSensor-N",
                 zone_type: int | None = 0x0015) -> None:
        self._manufacturer, self._model, self._zone_type = manufacturer, model, zone_type
        self._said: asyncio.Queue[ZclMessage | LinkLost] = asyncio.Queue()
        self.asked: list[tuple[int, tuple[int, ...]]] = []  # (cluster, attributes) of every read
        self.told: list[tuple[int, int, bytes]] = []  # (cluster, command, payload) of every command
        self.deaf = False  # it answers nothing

    @property
    def manufacturer(self) -> str:
        return self._manufacturer

    @property
    def model(self) -> str:
        return self._model

    @property
    def zone_type(self) -> int | None:
        return self._zone_type

    def say(self, message: ZclMessage) -> None:
        self._said.put_nowait(message)

    def lose(self) -> None:
        """Let the device be gone after what it said so far."""
        self._said.put_nowait(LinkLost("the fake device is gone", "none needed: a test wanted it"))

    async def read(self, cluster: int, attributes: Sequence[int]) -> None:
        self.asked.append((cluster, tuple(attributes)))
        self._heed()

    async def command(self, cluster: int, command: int, payload: bytes) -> None:
        self._heed()
        self.told.append((cluster, command, payload))

    def _heed(self) -> None:
        if self.deaf:
            raise LinkLost("the fake device does not answer", "none needed: a test wanted it")

    async def messages(self) -> AsyncIterator[ZclMessage]:
        while True:
            said = await self._said.get()
            if isinstance(said, LinkLost):
                self._said.put_nowait(said)
                raise said
            yield said


@dataclass
class ZigbeeRig:
    """A port under test and the hands that move its device. `zone`: the sensor sees something; `lose`: it goes."""

    port: ZigbeePort
    zone: Callable[[int], Awaitable[None]]
    lose: Callable[[], Awaitable[None]]
    mono_s: Callable[[], float]


async def check_it_says_what_it_is(rig: ZigbeeRig) -> None:
    """Manufacturer and model are known as soon as the port is open."""
    assert rig.port.manufacturer  # noqa: S101 - a conformance check
    assert rig.port.model  # noqa: S101
    assert rig.port.zone_type is not None  # noqa: S101 - the rig's device is an IAS zone


async def check_zone_changes_come_in_order_and_stamped(rig: ZigbeeRig) -> None:
    """Every change comes out, in order of arrival, with a CLOCK_MONOTONIC between then and now."""
    wanted = [1, 0, 1, 4, 0x0101, 0]
    begin_mono_s = rig.mono_s()
    for bits in wanted:
        await rig.zone(bits)
    got = await _changes(rig.port.messages(), len(wanted), begin_mono_s)
    assert [message.bits for message in got] == wanted  # noqa: S101
    stamps = [begin_mono_s, *(message.mono_s for message in got), rig.mono_s()]
    assert stamps == sorted(stamps)  # noqa: S101


async def check_what_came_before_the_loss_is_yielded_then_the_iterator_ends(rig: ZigbeeRig) -> None:
    """LinkLost comes after everything that was said, and comes again for whoever asks again."""
    begin_mono_s = rig.mono_s()
    await rig.zone(1)
    await rig.lose()
    messages = rig.port.messages()
    got = await _changes(messages, 1, begin_mono_s)
    assert got[0].bits == 1  # noqa: S101
    for iterator in (messages, rig.port.messages()):
        assert await _ends(iterator)  # noqa: S101


CONFORMANCE = (
    check_it_says_what_it_is,
    check_zone_changes_come_in_order_and_stamped,
    check_what_came_before_the_loss_is_yielded_then_the_iterator_ends,
)


async def _changes(messages: AsyncIterator[ZclMessage], count: int, since_mono_s: float) -> list[ZoneStatus]:
    """The next zone changes since then, beginning with an alarm.

    A bus may ask a device for its level at any time: what repeats the level before is no change.
    """
    got: list[ZoneStatus] = []
    async with asyncio.timeout(ARRIVAL_S):
        while len(got) < count:
            message = await anext(messages)
            if isinstance(message, ZoneStatus) and message.mono_s >= since_mono_s:
                before = got[-1].bits if got else 0
                got += [message] if message.bits != before else []
    return got


async def _ends(messages: AsyncIterator[ZclMessage]) -> bool:
    try:
        async with asyncio.timeout(ARRIVAL_S):
            while True:
                await anext(messages)
    except LinkLost:
        return True
