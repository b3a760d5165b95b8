# SPDX-License-Identifier: GPL-3.0-or-later
"""Guard: counts and logs what our own callbacks and tasks raise.

zigpy would hide it at DEBUG, and with it the alarm that was being handled; in a task group it would take down the rest.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec

log = logging.getLogger(__name__)

P = ParamSpec("P")


class Guard:
    """What went wrong in callbacks. `count` since the start, `last` as text."""

    def __init__(self) -> None:
        self.count = 0
        self.last = ""

    def __call__(self, callback: Callable[P, object]) -> Callable[P, None]:
        """Return `callback` as one that never raises."""

        @functools.wraps(callback)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                callback(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - the supervisor of all callbacks: a fault stays alone
                self._note(getattr(callback, "__name__", "callback"), error)

        return guarded

    async def contain(self, name: str, work: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do `work`; a fault in it stays here."""
        try:
            await work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the same for tasks: a device's fault stays with that device
            self._note(name, error)

    def _note(self, name: str, error: Exception) -> None:
        self.count += 1
        self.last = f"{name}: {type(error).__name__}: {error}"
        log.error("fault in the Zigbee bus fault=%r", self.last, exc_info=error)
