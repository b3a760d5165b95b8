"""Watchdog: systemd hears from us only while the pipeline makes progress, so a stuck daemon is restarted."""

import asyncio
import logging
from collections.abc import Callable

from gateway.ops.notify import notify, watchdog_period_s

log = logging.getLogger(__name__)


async def feed(progress: Callable[[], int], status: Callable[[], str]) -> None:
    """Feed systemd's watchdog for ever, each time `progress()` has moved on; return at once where there is none."""
    period_s = watchdog_period_s()
    if period_s is None:
        return
    before = progress()
    while True:
        await asyncio.sleep(period_s)
        now = progress()
        if now == before:
            log.error("pipeline stuck progress=%d: the watchdog is not fed", now)
        else:
            notify("WATCHDOG=1", f"STATUS={status()}")
        before = now
