"""kept: run a side part of the daemon for ever, so that its failure is told and does not end the alarms."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

PAUSE_S = 5.0


async def kept(name: str, run: Callable[[], Awaitable[None]], fault: Callable[[str, str, str], None]) -> None:
    """Run `run()` again and again until cancelled; each failure is logged, told through `fault`, then comes a pause."""
    while True:
        try:
            await run()
            reason = "it ended by itself"
        except Exception as error:  # whatever it was, the pipeline goes on without this part
            log.exception("part failed name=%s", name)
            reason = f"{type(error).__name__}: {error}"
        if (task := asyncio.current_task()) and task.cancelling():
            raise asyncio.CancelledError
        fault(name, reason, "none needed: it is started again; report it with the log")
        await asyncio.sleep(PAUSE_S)
