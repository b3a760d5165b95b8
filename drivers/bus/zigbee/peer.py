# SPDX-License-Identifier: GPL-3.0-or-later
"""Peer: one end device as the bus knows it, over every life of the radio; Port: what a driver gets of it.

What arrives goes into the peer's mailbox, session or not; the port only reads it. So nothing falls between two
sessions. While no session is open the mailbox is bounded: it gives up attribute reports first, of those the attribute
that fills it, for a radar's fall is a report too; then zone states without an alarm; then commands. Of alarms alone it
keeps the first, which tells since when, and the newest. What came last stays: it is how things stand.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec.structs import replace

from drivers.bus.zigbee.zcl import IAS_ZONE, decode
from gateway.spi import Attribute, LinkLost, ZclCommand, ZclMessage, ZoneStatus

KEPT = 64  # messages without a session
FRESH_S = 600.0  # what a device nobody had configured said before that is history, not news
REPEAT_S = 5.0  # APS sends again up to 3 times, apscAckWaitDuration (1.6 s) apart (Zigbee R22, 2.2.7)
_ALARMS = 0x0003  # Alarm1, Alarm2 (ZCL 8.2.2.2.1.3)
_ATTRIBUTE, _CALM, _COMMAND, _ALARM = range(4)  # by what a message may mean, least first


class Asker(Protocol):
    """Who carries a port's requests; None where the device or the stick did not answer."""

    async def read(self, ieee: str, cluster: int, attributes: Sequence[int]) -> bool | None: ...

    async def command(self, ieee: str, cluster: int, command: int, payload: bytes) -> bool | None: ...


class Port:
    """A session's view of a peer; implements ZigbeePort."""

    def __init__(self, peer: "Peer", manufacturer: str, model: str, zone_type: int | None,
                 asker: Asker | None = None) -> None:
        self._peer, self._asker = peer, asker
        self._manufacturer, self._model, self._zone_type = manufacturer, model, zone_type
        self._lost: LinkLost | None = None
        self._wake = asyncio.Event()

    @property
    def manufacturer(self) -> str:
        return self._manufacturer

    @property
    def model(self) -> str:
        return self._model

    @property
    def zone_type(self) -> int | None:
        return self._zone_type

    async def messages(self) -> AsyncIterator[ZclMessage]:
        """Yield what the device said and says. Raises LinkLost when the radio or the device is gone."""
        while True:
            while self._peer.mail:
                yield self._peer.mail.popleft()
            if self._lost is not None:
                raise self._lost
            self._wake.clear()
            await self._wake.wait()

    async def read(self, cluster: int, attributes: Sequence[int]) -> None:
        if self._asker is None or self._lost or not await self._asker.read(self._peer.ieee, cluster, attributes):
            raise LinkLost("the device does not answer", "check its power and its distance")

    async def command(self, cluster: int, command: int, payload: bytes) -> None:
        if self._asker is None or self._lost or not await self._asker.command(
                self._peer.ieee, cluster, command, payload):
            raise LinkLost("the device does not take the command", "check its power and its distance")

    def lose(self, lost: LinkLost) -> None:
        self._lost = lost
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()


class Peer:
    """One device by its EUI-64."""

    def __init__(self, ieee: str) -> None:
        self.ieee = ieee
        self.mail: deque[ZclMessage] = deque()
        self.holder: str | None = None  # the configured device that has it open, or waits for it
        self.port: Port | None = None
        self.ready = False  # joined, interviewed, and enrolled if it is an IAS zone
        self.nudge = asyncio.Event()  # it has just spoken: the moment to reach a sleepy device
        self.again = False  # it came back while its enrolment was being looked at: look again
        self.heard_mono_s: float | None = None
        self.dropped = 0
        self.opened = False  # a session has had it since this process began
        self._frames: deque[tuple[float, tuple[int, int, bytes]]] = deque(maxlen=8)

    def hear(self, mono_s: float, endpoint: int, cluster: int, raw: bytes) -> None:
        """Take a ZCL frame the device sent. Raises MalformedFrame."""
        self.heard_mono_s = mono_s
        self.nudge.set()
        messages = decode(mono_s, endpoint, cluster, raw)
        if self._is_repeat(mono_s, (endpoint, cluster, raw)):
            # A command counts once; a level is the same again, and some devices never change their number.
            messages = [replace(message, news=False) if isinstance(message, ZoneStatus) else message
                        for message in messages if not isinstance(message, ZclCommand)]
        self.put(messages)

    @property
    def calls(self) -> bool:
        """Whether an alarm or a press waits in the mailbox, which must not wait for anything."""
        return any(message.news and message.bits & _ALARMS if isinstance(message, ZoneStatus)
                   else isinstance(message, ZclCommand) and message.cluster != IAS_ZONE for message in self.mail)

    def _is_repeat(self, mono_s: float, frame: tuple[int, int, bytes]) -> bool:
        """Tell whether this is a frame sent again because its acknowledgement was lost: byte for byte the same."""
        if any(frame == other and mono_s - seen_s <= REPEAT_S for seen_s, other in self._frames):
            return True
        self._frames.append((mono_s, frame))
        return False

    def put(self, messages: list[ZclMessage]) -> None:
        """Take what the device said."""
        self.mail.extend(messages)
        if self.port is not None:
            self.port.wake()
            return
        while len(self.mail) > KEPT:
            del self.mail[_least(self.mail)]
            self.dropped += 1

    def attach(self, port: Port, mono_s: float) -> None:
        """Begin a session."""
        if not self.opened:
            self.mail = deque(message for message in self.mail if mono_s - message.mono_s <= FRESH_S)
        self.opened = True
        self.port = port

    def detach(self) -> None:
        self.port = None

    def lose(self, reason: str, cure: str) -> None:
        """End the session, if there is one: the device cannot be reached any more."""
        self.ready = False
        if self.port is not None:
            self.port.lose(LinkLost(reason, cure))


def _least(mail: deque[ZclMessage]) -> int:
    """The index of the message that can best be spared: the oldest of the least important kind, but the first alarm."""
    *old, _ = mail
    least = min(map(_weight, old))
    found = [index for index, message in enumerate(old) if _weight(message) == least]
    if least == _ATTRIBUTE:
        often = Counter((m.cluster, m.attribute) for m in old if isinstance(m, Attribute)).most_common(1)[0][0]
        return next(index for index in found if isinstance(m := old[index], Attribute)
                    and (m.cluster, m.attribute) == often)
    return found[1] if least == _ALARM and len(found) > 1 else found[0]


def _weight(message: ZclMessage) -> int:
    if isinstance(message, Attribute):
        return _ATTRIBUTE
    if isinstance(message, ZclCommand):
        return _COMMAND
    return _ALARM if message.bits & _ALARMS else _CALM
