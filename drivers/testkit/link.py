"""RecordedLink: the runtime's end of a session for tests of drivers; keeps what the driver says, in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from gateway.model.reading import Measurement
from gateway.spi import Order

S = TypeVar("S", bound=msgspec.Struct)


class RecordedLink(Generic[S]):
    """`said`: (mono_s, measurement) in order of arrival; `lives`: how often the driver called alive();
    `told`: what it said about the device."""

    def __init__(self, settings: S, device: str = "device") -> None:
        self.device, self.settings = device, settings
        self.said: list[tuple[float, Measurement]] = []
        self.lives = 0
        self.told: dict[str, str] = {}
        self.is_ready = asyncio.Event()
        self._last: Order | None = None
        self._changed = asyncio.Event()
        self._ordered = asyncio.Event()

    @property
    def values(self) -> list[Measurement]:
        return [value for _, value in self.said]

    def ready(self) -> None:
        self.is_ready.set()

    def alive(self) -> None:
        self.lives += 1
        self._changed.set()

    def about(self, said: Mapping[str, str]) -> None:
        self.told = dict(said)

    def emit(self, value: Measurement, mono_s: float) -> None:
        self.said.append((mono_s, value))
        self._changed.set()

    async def orders(self) -> AsyncIterator[Order]:
        while True:
            await self._ordered.wait()
            self._ordered.clear()
            assert self._last is not None  # noqa: S101 - set together with the event
            yield self._last

    def order(self, order: Order) -> None:
        """Give the driver an order."""
        self._last = order
        self._ordered.set()

    async def until(self, true: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait until the driver has said or done what makes `true` so. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not true():
                self._changed.clear()
                await self._changed.wait()
