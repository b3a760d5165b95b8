"""Fleet: every configured bus and device, wherever it runs; what the daemon's own parts ask and tell them."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.config import Config
from gateway.model.device import DeviceStatus
from gateway.runtime.hosted import HostedBus, Spawn
from gateway.runtime.kept import kept
from gateway.runtime.registry import Registry
from gateway.runtime.session import Means
from gateway.runtime.supervisor import Supervisor
from gateway.spi import BusContext, BusUnavailable, Order, PairingBus

log = logging.getLogger(__name__)


def socket_of(run_dir: Path, bus: str) -> Path:
    """Where the daemon listens for the host of a bus."""
    return run_dir / f"host-{bus}.sock"


class Fleet:
    """The local supervisor and one HostedBus for each bus that wants a process of its own."""

    def __init__(self, config: Config, registry: Registry, means: Means, spawn: Spawn | None,
                 fault: Callable[[str, str, str], None], calm: Callable[[], bool]) -> None:
        self.config = config
        self._fault, self._calm = fault, calm
        self._registry, self._means, self._spawn = registry, means, spawn
        self._hosted: dict[str, HostedBus] = {}
        self._local = Supervisor(registry.drivers, registry.buses, means, self._context)
        self._group: asyncio.TaskGroup | None = None

    async def run(self, applied: Callable[[], None]) -> None:
        """Run the configured buses and devices until cancelled; `applied` is called once all have been started."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._local.run(), name="supervisor")
            await self.apply(self.config)
            applied()

    async def apply(self, config: Config) -> None:
        """Change over to a new configuration; what did not change goes on undisturbed."""
        assert self._group is not None  # noqa: S101 - run() comes first
        self.config = config
        hosted = {name for name in config.buses if self._registry.buses[name].own_process}
        for name in sorted(hosted | set(self._hosted)):
            devices = {d.name: d for d in config.devices.values() if self._bus_of(d.driver) == name}
            if name not in self._hosted:
                socket = socket_of(config.gateway.run_dir, name)
                self._hosted[name] = HostedBus(name, socket, config.gateway.state_dir, self._means, self._spawn)
                self._group.create_task(kept(f"host {name}", self._hosted[name].run, self._fault), name=f"host {name}")
            self._hosted[name].apply(config.buses.get(name), devices)
        local = {name: settings for name, settings in config.buses.items() if name not in hosted}
        devices = {name: device for name, device in config.devices.items() if self._bus_of(device.driver) in local}
        await self._local.apply(local, devices)

    def order(self, device: str, order: Order) -> None:
        self._local.order(device, order)
        for host in self._hosted.values():
            host.order(device, order)

    def statuses(self) -> dict[str, DeviceStatus]:
        found = self._local.statuses()
        for host in self._hosted.values():
            found |= host.statuses()
        return found

    def health(self) -> dict[str, Any]:
        return self._local.health() | {name: host.health() for name, host in self._hosted.items()}

    async def discover(self, bus: str, seconds: float) -> list[dict[str, Any]]:
        """Look for new devices on a bus. Raises SpiError."""
        if bus in self._hosted:
            return await self._hosted[bus].discover(seconds)
        if bus not in self.config.buses:
            raise BusUnavailable(f"no bus {bus!r} is configured", f"add [bus.{bus}] to the configuration")
        return await self._local.discover(bus, seconds)

    def pairing(self, bus: str) -> PairingBus:
        """A bus of this process that can pair. Raises BusUnavailable."""
        return self._local.pairing(bus)

    def _bus_of(self, driver: str) -> str:
        return self._registry.drivers[driver].bus

    def _context(self, bus: str) -> BusContext:
        folder = self.config.gateway.state_dir / bus
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:  # most buses keep nothing; one that does tells it in its own words
            log.warning("no folder for the bus %s: %s: check the disk that holds state_dir", bus, error)
        drivers = self._registry.drivers
        return BusContext(folder, self._means.clock.mono_s, lambda: [d for d in drivers.values() if d.bus == bus],
                          self._calm)
