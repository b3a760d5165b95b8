"""A fake pin that obeys the rules of GpioPort, and the conformance checks of GpioPort."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from gateway.spi import GpioPort

SetLevel = Callable[[bool], Awaitable[float]]
"""Make the contact open or closed; return when, on the clock that the port stamps with."""


class FakePin:
    """GpioPort without a pin: stamps with the loop's clock. `shown`: (time, active) of every drive()."""

    def __init__(self, active: bool = False) -> None:
        self._levels: asyncio.Queue[tuple[float, bool]] = asyncio.Queue()
        self._active = active
        self.shown: list[tuple[float, bool]] = []

    async def set(self, active: bool) -> float:
        """Open or close the contact."""
        now_s = asyncio.get_running_loop().time()
        if active is not self._active:
            self._active = active
            self._levels.put_nowait((now_s, active))
        return now_s

    async def levels(self) -> AsyncIterator[tuple[float, bool]]:
        self._levels = asyncio.Queue()  # edges from before nobody has seen; the present level counts
        yield asyncio.get_running_loop().time(), self._active
        while True:
            yield await self._levels.get()

    async def drive(self, active: bool) -> None:
        self.shown.append((asyncio.get_running_loop().time(), active))


async def check_edges(port: GpioPort, set_level: SetLevel, settle_s: float) -> None:
    """The present level comes first, then every change that lasts `settle_s`, in order, stamped after it was made."""
    await set_level(False)
    async with _levels(port) as levels:
        _, active = await anext(levels)
        _require(active is False, "the first level is not the present one")
        for wanted in (True, False, True, False):
            await asyncio.sleep(settle_s)
            set_mono_s = await set_level(wanted)
            async with asyncio.timeout(2.0):
                mono_s, active = await anext(levels)
            _require(active is wanted, f"told {active} where the level went {wanted}")
            _require(mono_s >= set_mono_s, "stamped before the level changed")


async def check_final_level(port: GpioPort, set_level: SetLevel, ends: bool) -> None:
    """However the contact bounces, the level told last is the one at which it came to rest."""
    await set_level(not ends)
    async with _levels(port) as levels:
        _, last = await anext(levels)
        for bounce in range(8):
            await set_level(ends is (bounce % 2 == 0))
        await set_level(ends)
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.3):
                    _, last = await anext(levels)
        _require(last is ends, "the last level told is not the level at rest")


@contextlib.asynccontextmanager
async def _levels(port: GpioPort) -> AsyncIterator[AsyncIterator[tuple[float, bool]]]:
    """The port's levels, given back when they are no longer wanted."""
    levels = port.levels()
    try:
        yield levels
    finally:
        if isinstance(levels, AsyncGenerator):
            await levels.aclose()


def _require(true: bool, what: str) -> None:
    if not true:
        raise AssertionError(what)
