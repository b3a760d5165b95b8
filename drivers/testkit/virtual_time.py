"""An event loop whose clock jumps instead of waiting: hours of a driver's life in a second, for one-process tests."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Polls without waiting; where nothing is ready the loop's clock moves to the next timer."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.loop.now_s += timeout
        elif not ready and timeout is None:
            return super().select(None)  # only a thread or a socket can wake us: wait for real
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time, beginning at 1000 s."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now_s

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """Wait for real: the limit that asyncio.run() gives from Python 3.12 on would be over at once here."""
        await super().shutdown_default_executor()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
