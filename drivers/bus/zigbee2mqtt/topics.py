"""Topic: what one device has said, over every connection and session; Port: what a driver gets of it.

What arrives while nobody listens waits in the topic, the oldest given up beyond KEPT; what waited for the first session
longer than FRESH_S is a state and no news any more. A new session begins with the last state of the one before.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping

from msgspec.structs import replace

from drivers.bus.zigbee2mqtt.messages import Known
from gateway.spi import LinkError
from gateway.spi.exposed import Exposed, Told

KEPT = 64
FRESH_S = 600.0


class Port:
    """A session's view of a device; implements ExposedPort."""

    def __init__(self, known: Known, said: list[Told]) -> None:
        self.known = known
        self._said = deque(said)
        self._lost: LinkError | None = None
        self._wake = asyncio.Event()

    @property
    def manufacturer(self) -> str:
        return self.known.manufacturer

    @property
    def model(self) -> str:
        return self.known.model

    @property
    def exposes(self) -> Mapping[str, Exposed]:
        return self.known.exposes

    async def told(self) -> AsyncIterator[Told]:
        """Yield what the device said and says. Raises LinkLost, BusUnavailable."""
        while True:
            while self._said:
                yield self._said.popleft()
            if self._lost is not None:
                raise self._lost
            self._wake.clear()
            await self._wake.wait()

    def say(self, told: Told) -> None:
        self._said.append(told)
        self._wake.set()

    def lose(self, lost: LinkError) -> None:
        self._lost = lost
        self._wake.set()


class Topic:
    """One friendly name below the base topic. `online`: by its availability; without one it is."""

    def __init__(self) -> None:
        self.online = True
        self.ports: list[Port] = []
        self._waiting: deque[Told] = deque()
        self._last: Told | None = None

    def hear(self, told: Told) -> None:
        """Take what the device said."""
        for port in self.ports:
            port.say(told)
        if not self.ports:
            self._waiting.append(told)
        if self.ports or len(self._waiting) > KEPT:
            self._last = told if self.ports else self._waiting.popleft()

    def attach(self, known: Known, mono_s: float) -> Port:
        """Begin a session."""
        said = [Told(mono_s, {}, kept=True) if self._last is None else self._old(self._last, mono_s)]
        said += [one if mono_s - one.mono_s <= FRESH_S else self._old(one, mono_s) for one in self._waiting]
        if self._waiting:
            self._last = self._waiting[-1]
        self._waiting.clear()
        port = Port(known, said)
        self.ports.append(port)
        return port

    def detach(self, port: Port) -> None:
        self.ports.remove(port)

    @staticmethod
    def _old(told: Told, mono_s: float) -> Told:
        since_s = mono_s - told.mono_s
        age_s = told.age_s if told.kept and told.age_s is None else (told.age_s or 0.0) + since_s
        return replace(told, mono_s=mono_s, kept=True, age_s=age_s)
