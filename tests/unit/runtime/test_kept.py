"""A side part that fails is told and started again; only its cancellation ends it."""

import asyncio

from drivers.testkit import virtual_time
from gateway.runtime.kept import PAUSE_S, kept


def test_a_part_that_fails_is_told_and_started_again() -> None:
    async def main() -> None:
        told: list[str] = []
        runs = 0

        async def part() -> None:
            nonlocal runs
            runs += 1
            if runs < 3:
                raise ValueError(f"bug {runs}")
            await asyncio.Event().wait()

        task = asyncio.create_task(kept("uplink", part, lambda what, reason, cure: told.append(f"{what}: {reason}")))
        await asyncio.sleep(10 * PAUSE_S)
        assert told == ["uplink: ValueError: bug 1", "uplink: ValueError: bug 2"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    virtual_time.run(main())
