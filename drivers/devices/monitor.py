"""Monitor: one session of a health monitor that notifies the Bluetooth SIG's own characteristics.

Subscribe first, for a cuff sends at once and is gone in seconds; then the clock, the battery, and who made it. What
arrives meanwhile waits in the port.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace

from drivers.devices import device_information
from drivers.devices.gatt_clock import DeviceClock, optional
from drivers.devices.gatt_values import BATTERY_LEVEL, DecodeError, decode_battery_percent
from drivers.devices.measured import Measured, quantity
from gateway.model.reading import BinaryKind, Quantity, QuantityKind, SpotCheck
from gateway.spi import Addressed, BlePeer, Link, LinkError, Notification

log = logging.getLogger(__name__)

BAD_IN_A_ROW = 10

Measure = Callable[[bytes], Measured]


class MonitorSettings(Addressed, frozen=True, kw_only=True):
    """[devices.NAME] of a health monitor. `user`: whose measurements count on a device that several people share."""

    user: int | None = None


class Session:
    """One run over one peer."""

    def __init__(self, link: Link[MonitorSettings], peer: BlePeer, measures: Mapping[str, Measure]) -> None:
        self._link, self._peer = link, peer
        self._measures = {uuid: measure for uuid, measure in measures.items() if peer.has(uuid)} or dict(measures)
        self._clock = DeviceClock()
        self._levels: dict[BinaryKind, bool] = {}
        self._bad_in_a_row = 0

    async def open(self) -> None:
        """Subscribe, compare clocks, look at the battery. Raises LinkError, DeviceRejected."""
        for uuid in self._measures:
            await self._peer.subscribe(uuid)  # of a device that has none of them: the bus says what that means
        await self._clock.meet(self._peer, datetime.now())  # noqa: DTZ005 - devices keep local time
        if self._peer.has(BATTERY_LEVEL):
            with optional("not readable"):
                mono_s = asyncio.get_running_loop().time()
                self.take(Notification(mono_s, BATTERY_LEVEL, await self._peer.read(BATTERY_LEVEL)))
                await self._peer.subscribe(BATTERY_LEVEL)
        self._link.ready()
        await device_information.tell(self._link, self._peer)

    def take(self, arrival: Notification) -> None:
        """Emit what a notification says. Raises LinkError where nothing but damage has come for long."""
        with self.counted():
            if arrival.uuid == BATTERY_LEVEL:
                percent = decode_battery_percent(arrival.data)
                self._emit(Measured((quantity(QuantityKind.BATTERY, percent),)), arrival.mono_s)
            elif measure := self._measures.get(arrival.uuid):
                self._emit(measure(arrival.data), arrival.mono_s)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Take one frame; its DecodeError is logged. Raises LinkError where nothing but damage has come for long."""
        try:
            yield
            self._bad_in_a_row = 0
        except DecodeError as error:
            self._bad_in_a_row += 1
            log.warning("bad frame device=%s reason=%r", self._link.device, str(error))
            if self._bad_in_a_row >= BAD_IN_A_ROW:
                raise LinkError(f"{BAD_IN_A_ROW} damaged frames in a row ({error})",
                                "switch the device off and on; if it stays, it is another model") from error

    def _emit(self, measured: Measured, mono_s: float) -> None:
        """Hand over the resident's measurement; another user's is a sign of life and nothing else."""
        wanted = self._link.settings.user
        if wanted is not None and measured.user is not None and measured.user != wanted:
            self._link.alive()
            return
        dated = tuple(self._dated(value, measured.taken, mono_s) for value in measured.values
                      if isinstance(value, Quantity))
        for checked in (SpotCheck(dated, measured.record),) if measured.spot and dated else dated:
            self._link.emit(checked, mono_s)
        for value in measured.values:
            if not isinstance(value, Quantity) and self._levels.get(value.kind) != value.active:
                self._levels[value.kind] = value.active
                self._link.emit(value, mono_s)

    def _dated(self, value: Quantity, taken: datetime | None, mono_s: float) -> Quantity:
        if taken is None:
            return value
        return replace(value, age_s=self._clock.age_s(taken, mono_s), taken_local=taken.isoformat())


def runs(measures: Mapping[str, Measure]) -> Callable[[Link[MonitorSettings], BlePeer], Awaitable[None]]:
    """Make a driver's run() of a table of characteristic -> what its value measures."""

    async def run(link: Link[MonitorSettings], peer: BlePeer) -> None:
        session = Session(link, peer, measures)
        await session.open()
        async for arrival in peer.notifications():
            session.take(arrival)

    return run
