"""Supervisor: keeps every bus and every device's sessions running; a new configuration restarts what it changes."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from gateway.config import Device
from gateway.config.plan import plan
from gateway.model.device import DeviceStatus
from gateway.runtime.backoff import Backoff
from gateway.runtime.session import Means, Sessions
from gateway.spi import Bus, BusContext, BusUnavailable, Order, PairingBus, SpiError
from gateway.spi.bus import AnyBusKind
from gateway.spi.driver import AnyDriver

log = logging.getLogger(__name__)

STOP_S = 2.0


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
        self._running, self._applying = asyncio.Event(), asyncio.Lock()

    async def run(self) -> None:
        """Hold every task until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._running.set()
            await asyncio.Event().wait()

    async def apply(self, settings: Mapping[str, Any], devices: Mapping[str, Device]) -> None:
        """Run these buses and devices from now on. What did not change is not touched, and what did is off for as short
        as can be: each device is stopped and started by itself, and one that does not stop is left behind.
        """
        await self._running.wait()
        async with self._applying:
            bus_of = {name: driver.bus for name, driver in self._drivers.items()}
            change = plan((self._settings, self._devices), (settings, devices), bus_of)
            for bus in sorted(change.stop_buses):
                for name in [n for n, d in self._devices.items() if bus_of[d.driver] == bus]:
                    await self._stop_device(name)
                await self._stop(f"bus {bus}")
                del self._buses[bus], self._settings[bus]
            for bus in sorted(change.start_buses):
                await self._start_bus(bus, settings[bus])
            for name in sorted(change.stop_devices | change.start_devices):
                if name in self._devices and name in change.stop_devices:
                    await self._stop_device(name)
                if name in change.start_devices:
                    self._start_device(devices[name])
            self._devices = dict(devices)

    async def _start_bus(self, name: str, settings: Any) -> None:
        context = await asyncio.to_thread(self._context, name)
        try:
            bus = self._kinds[name].make(settings, context)
        except Exception as error:  # a bus is a plug-in too: one that cannot be made must not stop the others
            log.exception("bus not made bus=%s", name)
            bus = _Unmade(f"the bus {name} cannot be made: {type(error).__name__}: {error}")
        self._buses[name], self._settings[name] = bus, settings
        self._run(f"bus {name}", self._keep(name, bus))

    def _start_device(self, device: Device) -> None:
        driver = self._drivers[device.driver]
        sessions = Sessions(device, driver, self._buses[driver.bus], self._means)
        self._sessions[device.name], self._devices[device.name] = sessions, device
        self._means.sink.status(sessions.status)
        self._run(f"device {device.name}", sessions.run())

    async def _stop_device(self, name: str) -> None:
        await self._stop(f"device {name}")
        del self._sessions[name], self._devices[name]

    def _run(self, name: str, main: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None  # noqa: S101 - set before anything is applied
        self._tasks[name] = self._group.create_task(main, name=name)

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

    def pairing(self, bus: str) -> PairingBus:
        """A running bus that can pair. Raises BusUnavailable."""
        found: object = self._buses.get(bus)
        if not isinstance(found, PairingBus):
            raise BusUnavailable(f"the bus {bus!r} is not there, or pairs nobody", "look at `anju status`")
        return found

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
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) and task.cancelling():
                    raise
                fault = SpiError(f"the bus {name} cancelled itself", "report it with the log")
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

    async def _stop(self, name: str) -> None:
        """Cancel a task and wait for its end, though not for ever: its driver may swallow the cancellation."""
        task = self._tasks.pop(name)
        task.cancel()
        _, running = await asyncio.wait([task], timeout=STOP_S)
        if running:
            log.error("does not stop, left behind task=%r: report the driver", name)


class _Unmade:
    """Stands for a bus that could not be made; its devices tell why."""

    def __init__(self, reason: str) -> None:
        self._fault = BusUnavailable(reason, "check its settings, report it with the log")

    async def run(self) -> None:
        raise self._fault

    def open(self, device: str, settings: Any) -> AbstractAsyncContextManager[Any]:
        raise self._fault

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        raise self._fault

    def health(self) -> dict[str, Any]:
        return {"state": "down"}
