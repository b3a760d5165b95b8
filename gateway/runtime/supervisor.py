"""Supervisor: keeps every bus and every device's sessions running; a new configuration restarts what it changes."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from gateway.config import Device
from gateway.config.plan import plan
from gateway.model.device import DeviceStatus
from gateway.runtime.backoff import Backoff
from gateway.runtime.session import Means, Sessions
from gateway.spi import Bus, BusContext, Order, SpiError
from gateway.spi.bus import AnyBusKind
from gateway.spi.driver import AnyDriver

log = logging.getLogger(__name__)


class Supervisor:
    """Runs the buses of this process and the devices on them.

    `context(bus)` gives a bus its folder and clock. `run()` holds everything; `apply()` may come at any time.
    """

    def __init__(self, drivers: Mapping[str, AnyDriver], kinds: Mapping[str, AnyBusKind], means: Means,
                 context: Callable[[str], BusContext]) -> None:
        self._drivers, self._kinds, self._means, self._context = drivers, kinds, means, context
        self._settings: dict[str, Any] = {}
        self._devices: dict[str, Device] = {}
        self._buses: dict[str, Bus] = {}
        self._bus_faults: dict[str, SpiError] = {}
        self._sessions: dict[str, Sessions] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._running = asyncio.Event()

    async def run(self) -> None:
        """Hold every task until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._running.set()
            await asyncio.Event().wait()

    async def apply(self, settings: Mapping[str, Any], devices: Mapping[str, Device]) -> None:
        """Run these buses and devices from now on; what did not change is not touched."""
        await self._running.wait()
        assert self._group is not None  # noqa: S101 - set before the event
        bus_of = {name: driver.bus for name, driver in self._drivers.items()}
        change = plan((self._settings, self._devices), (settings, devices), bus_of)
        await self._stop([f"device {name}" for name in change.stop_devices])
        await self._stop([f"bus {name}" for name in change.stop_buses])
        for name in change.stop_devices:
            del self._sessions[name]
        for name in change.stop_buses:
            del self._buses[name]
        self._settings, self._devices = dict(settings), dict(devices)
        for name in sorted(change.start_buses):
            context = await asyncio.to_thread(self._context, name)
            self._buses[name] = bus = self._kinds[name].make(settings[name], context)
            self._tasks[f"bus {name}"] = self._group.create_task(self._keep(name, bus), name=f"bus {name}")
        for name in sorted(change.start_devices):
            driver = self._drivers[devices[name].driver]
            sessions = Sessions(devices[name], driver, self._buses[driver.bus], self._means)
            self._sessions[name] = sessions
            self._means.sink.status(sessions.status)
            self._tasks[f"device {name}"] = self._group.create_task(sessions.run(), name=f"device {name}")

    def order(self, device: str, order: Order) -> None:
        """Give an order to a device of this process; an unknown name is ignored: it may just have been removed."""
        if sessions := self._sessions.get(device):
            sessions.order(order)

    def statuses(self) -> dict[str, DeviceStatus]:
        return {name: sessions.status for name, sessions in self._sessions.items()}

    def health(self) -> dict[str, Any]:
        """Each bus's own health, with `reason` and `cure` where it is down."""
        return {
            name: bus.health() | ({"reason": fault.reason, "cure": fault.cure} if fault else {})
            for name, bus in self._buses.items()
            for fault in [self._bus_faults.get(name)]
        }

    async def discover(self, bus: str, seconds: float) -> list[dict[str, Any]]:
        """Look for new devices on a bus. Raises SpiError, KeyError for a bus that is not running."""
        return await self._buses[bus].discover(seconds)

    async def _keep(self, name: str, bus: Bus) -> None:
        """Run a bus; when it ends or fails, pause and run it again."""
        backoff = Backoff(self._means.random)
        told = ""
        while True:
            started_mono_s = self._means.clock.mono_s()
            self._bus_faults.pop(name, None)
            try:
                await bus.run()
                fault: SpiError = SpiError("the bus ended by itself", "none needed: it is started again")
            except SpiError as error:
                fault = error
            except Exception as error:  # a bus is a plug-in too: its fault must not take its neighbours down
                log.exception("bus failed bus=%s", name)
                fault = SpiError(f"fault in the bus {name}: {type(error).__name__}: {error}", "report it with the log")
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError
            if fault.reason != told:
                told = fault.reason
                log.warning("bus down bus=%s reason=%r cure=%r", name, fault.reason, fault.cure)
            self._bus_faults[name] = fault
            await self._means.sleep(backoff.next_s(self._means.clock.mono_s() - started_mono_s))

    async def _stop(self, names: list[str]) -> None:
        tasks = [self._tasks.pop(name) for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
