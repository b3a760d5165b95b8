"""One device's sessions, for ever: open its port, run its driver, pause, again. Nothing a driver does gets past here.

State         when
SEARCHING     the bus looks for the device (out of range, unplugged)
STARTING      the port is open; ready() is due within the driver's start_s
UP            ready, and heard within silence_s
SILENT        not heard for silence_s: a new session is tried, but only a sign of life makes it UP again
LOST          the session ended or failed; the next begins after a jittered, growing pause
REJECTED      DeviceRejected: told at once, looked at again every HELD_S, for a module that only boots rejects too
ASLEEP        of a portable one, instead of SEARCHING and STARTING, and of LOST where its link just went away: nobody
              measures now
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from gateway.config import Device
from gateway.model.device import WELL, DeviceState, DeviceStatus
from gateway.model.reading import Measurement, Reading
from gateway.runtime.backoff import Backoff
from gateway.runtime.clock import Clock
from gateway.spi import Bus, DeviceRejected, Light, LinkError, LinkLost, Order, SendSms, SpiError
from gateway.spi.driver import AnyDriver

log = logging.getLogger(__name__)

HELD_S = 60.0
_STICKY = frozenset({DeviceState.SILENT, DeviceState.REJECTED})  # a new session alone does not change these
_CALM = WELL | {DeviceState.SEARCHING, DeviceState.STARTING}


class Sink(Protocol):
    """Where sessions deliver to: the pipeline, or the socket of a driver host."""

    def reading(self, reading: Reading, taken: Callable[[], None] | None = None) -> bool:
        """Take one reading; False if it was a sample and had to be dropped.

        `taken` is called once what follows from the reading is on disk.
        """

    def status(self, status: DeviceStatus) -> None: ...


class OrderBox:
    """The orders given to a device, kept over its sessions: the last Light stands, each SendSms is given out once."""

    def __init__(self) -> None:
        self._light: Light | None = None
        self._texts: dict[str, SendSms] = {}  # by id: one that is ordered again while it waits is still one
        self._changed = asyncio.Event()

    def put(self, order: Order) -> None:
        if isinstance(order, SendSms):
            self._texts[order.id] = order
        else:
            self._light = order
        self._changed.set()

    async def orders(self) -> AsyncIterator[Order]:
        shown: Light | None = None
        while True:
            if self._light is not shown and self._light is not None:
                shown = self._light
                yield shown
            elif self._texts:
                yield self._texts.pop(next(iter(self._texts)))
            else:
                self._changed.clear()
                await self._changed.wait()


@dataclass(frozen=True, slots=True)
class Means:
    """What every session needs of its surroundings; tests put virtual ones in."""

    sink: Sink
    clock: Clock
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]


class Sessions:
    """All sessions of one device, one after the other; the Link of the present one."""

    def __init__(self, device: Device, driver: AnyDriver, bus: Bus, means: Means) -> None:
        self._absent = DeviceState.ASLEEP if driver.portable else DeviceState.SEARCHING
        self.status = DeviceStatus(device.name, self._absent, means.clock.mono_s())
        self._device, self._driver, self._bus, self._means = device, driver, bus, means
        self._box = OrderBox()
        self._ready = asyncio.Event()
        self._heard_mono_s = 0.0

    # -- the Link that the driver sees ------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        return self._device.name

    @property
    def settings(self) -> Any:
        return self._device.settings

    def ready(self) -> None:
        self._ready.set()
        if self.status.state is not DeviceState.SILENT:
            self._become(DeviceState.UP)

    def alive(self) -> None:
        self._heard_mono_s = self._means.clock.mono_s()
        if self.status.state is DeviceState.SILENT and self._ready.is_set():
            self._become(DeviceState.UP)

    def about(self, said: Mapping[str, str]) -> None:
        self.status = msgspec.structs.replace(self.status, about=dict(said))  # a host tells it with the next state

    def emit(self, value: Measurement, mono_s: float) -> None:
        self.alive()
        if not self._means.sink.reading(Reading(self.device, self._means.clock.stamp(mono_s), value)):
            self.status = msgspec.structs.replace(self.status, dropped=self.status.dropped + 1)

    def orders(self) -> AsyncIterator[Order]:
        return self._box.orders()

    # -- the runtime's side -----------------------------------------------------------------------------------------

    def order(self, order: Order) -> None:
        """Give the device an order; the latest one stands."""
        self._box.put(order)

    async def run(self) -> None:
        """Run sessions until cancelled."""
        backoff = Backoff(self._means.random)
        while True:
            started_mono_s = self._means.clock.mono_s()
            error = await self._one()
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # Python 3.11's TaskGroup hides a cancellation that met an error
            if isinstance(error, DeviceRejected):
                self._become(DeviceState.REJECTED, error)
                await self._means.sleep(HELD_S)
                continue
            if self._driver.portable and isinstance(error, LinkLost):
                self._become(DeviceState.ASLEEP)
            elif self.status.state is not DeviceState.SILENT:
                self._become(DeviceState.LOST, error)
            await self._means.sleep(backoff.next_s(self._means.clock.mono_s() - started_mono_s))

    async def _one(self) -> SpiError:
        """Run one session; tell why it ended."""
        self._ready.clear()
        if self.status.state is DeviceState.STARTING:
            self._become(self._absent)
        try:
            async with self._bus.open(self.device, self.settings) as port:
                if self.status.state not in _STICKY and not self._driver.portable:
                    self._become(DeviceState.STARTING)
                self._heard_mono_s = self._means.clock.mono_s()
                self.status = msgspec.structs.replace(self.status, sessions=self.status.sessions + 1)
                await self._watched(port)
            return LinkLost("the session ended", "none needed: the next one follows")
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            return LinkError(f"the driver {self._driver.name} cancelled itself", "report it with the log")
        except Exception as raised:  # the one broad except: a driver's fault stays with its device
            error = _first(raised)
            if isinstance(error, SpiError):
                return error
            log.exception("driver failed device=%s driver=%s", self.device, self._driver.name)
            return LinkError(f"fault in the driver {self._driver.name}: {type(error).__name__}: {error}",
                             "report it with the log; other devices are not touched")

    async def _watched(self, port: Any) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._deadlines())
            await self._driver.run(self, port)
            watch.cancel()

    async def _deadlines(self) -> None:
        try:
            async with asyncio.timeout(self._driver.start_s):
                await self._ready.wait()
        except TimeoutError:
            raise LinkLost(f"not ready {self._driver.start_s:g} s after it was found",
                           "check its battery, then switch it off and on") from None
        limit_s = self._driver.silence_s
        while limit_s is not None:
            quiet_s = self._means.clock.mono_s() - self._heard_mono_s
            if quiet_s >= limit_s:
                silent = LinkLost(f"no sign of life for {quiet_s:.0f} s", "check its battery and its distance")
                self._become(DeviceState.SILENT, silent)
                raise silent
            await self._means.sleep(limit_s - quiet_s)

    def _become(self, state: DeviceState, error: SpiError | None = None) -> None:
        reason, cure = (error.reason, error.cure) if error else ("", "")
        before = self.status
        if (before.state, before.reason) == (state, reason):
            return
        self.status = msgspec.structs.replace(before, state=state, since_mono_s=self._means.clock.mono_s(),
                                              reason=reason, cure=cure)
        level = logging.INFO if state in _CALM else logging.WARNING
        log.log(level, "device %s device=%s reason=%r cure=%r", state, self.device, reason, cure)
        self._means.sink.status(self.status)


def _first(error: Exception) -> Exception:
    """The first leaf of an exception group, or the error itself."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
