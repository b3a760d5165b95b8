"""Polar Verity Sense, OH1 and H10: acceleration, heart rate, battery, worn or charging. They have no SOS button.

Only what is worn at the wrist watches over falls: the model of falls has learned no chest, where the H10 sits.
Intervals between beats are told where they are asked for: of the H10 with its heart rate, of the others as PPI, a
stream of its own that costs battery.

Worn is the skin contact of the heart rate sensor, told when it changes; charging is that the bracelet refuses to
measure because it lies in its charger. How well the contact tells a wrist from a table is not measured.

One session: subscribe, ask for the acceleration settings, start the stream with one of each, emit until the link ends.
"""

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncIterator
from typing import ClassVar, Literal

from drivers.devices import device_information, pmd
from drivers.devices.gatt_clock import optional
from drivers.devices.gatt_values import (
    BATTERY_LEVEL,
    HEART_RATE_MEASUREMENT,
    DecodeError,
    decode_battery_percent,
    decode_heart_rate,
)
from drivers.devices.measured import quantity
from drivers.devices.pmd import Op, Setting, Status
from gateway.model.finding import FallSource
from gateway.model.reading import Accel, Binary, BinaryKind, Quantity, QuantityKind
from gateway.spi import Addressed, BlePeer, DeviceRejected, Driver, Link, LinkError, Mark, Notification, Tested

log = logging.getLogger(__name__)

_ANSWER_S = 5.0  # the control point answers within tens of milliseconds
_STOP_S = 2.0
_BAD_IN_A_ROW = 10  # damaged frames; one alone is dropped and counted
_CLOCK_STEP_S = 600.0  # the device's clock was set: an interval longer than any link survives in silence
_PPI_FRAME = bytes([pmd.PPI])
_RANGE_WANTED_G = 8  # a fall on a hard floor peaks at 4 to 8 g on the wrist


class PolarSettings(Addressed, frozen=True, kw_only=True):
    """[devices.NAME] of a Polar bracelet. The Verity Sense offers 52 Hz; 26 Hz only where its firmware says so.

    `intervals`: tell the intervals between beats.
    """

    urgent: ClassVar[bool] = True

    rate_hz: Literal[52, 26] = 52
    intervals: bool = False


class H10Settings(Addressed, frozen=True, kw_only=True):
    """[devices.NAME] of a Polar H10. `intervals`: tell the intervals between beats."""

    rate_hz: Literal[25, 50, 100, 200] = 50
    intervals: bool = False


class SampleCount:
    """Numbers the samples of one session, so that a lost frame makes the number jump.

    The device stamps each frame's last sample. Its rate is only nominal: up to 5 % (and 2 samples) between stamps and
    counts are drift; whatever is missing beyond that was lost on the way.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._next = 0
        self._last: tuple[int, float] | None = None
        self.lost = 0

    def first_index(self, frame: pmd.AccFrame, mono_s: float) -> int:
        """Number the frame's first sample; `mono_s` of its arrival stands in where the device's clock was set."""
        count = len(frame.samples_mg)
        if self._last is not None:
            elapsed_s = (frame.last_ns - self._last[0]) / 1e9
            if not 0 < elapsed_s < _CLOCK_STEP_S:
                elapsed_s = mono_s - self._last[1]
            elapsed = elapsed_s * self._rate_hz
            missing = round(elapsed) - count
            if missing > 2 + elapsed / 20:
                self._next += missing
                self.lost += missing
        self._last = (frame.last_ns, mono_s)
        first = self._next
        self._next += count
        return first


def choose(offered: pmd.Settings, rate_hz: int) -> pmd.Settings:
    """Pick one value of each setting that a start must carry. Raises DeviceRejected where the rate is not offered."""
    rates = offered.get(Setting.SAMPLE_RATE, ())
    if rate_hz not in rates:
        raise DeviceRejected(f"the bracelet does not measure at {rate_hz} Hz",
                             f"set rate_hz to one of {', '.join(f'{rate:g}' for rate in rates) or 'none'}")
    chosen: pmd.Settings = {Setting.SAMPLE_RATE: (rate_hz,)}
    if resolutions := offered.get(Setting.RESOLUTION):
        chosen[Setting.RESOLUTION] = (max(resolutions),)
    if ranges := offered.get(Setting.RANGE):
        chosen[Setting.RANGE] = (min((r for r in ranges if r >= _RANGE_WANTED_G), default=max(ranges)),)
    if channels := offered.get(Setting.CHANNELS):
        chosen[Setting.CHANNELS] = (max(channels),)
    return chosen


class _Session:
    """One run over one peer."""

    def __init__(self, link: Link[PolarSettings] | Link[H10Settings], peer: BlePeer, at_wrist: bool) -> None:
        self._at_wrist = at_wrist
        self._link, self._peer = link, peer
        self._arrivals: AsyncIterator[Notification] = peer.notifications()
        self._count = SampleCount(link.settings.rate_hz)
        self._factor, self._range_g = 1.0, float(_RANGE_WANTED_G)
        self._streaming = False
        self._worn: bool | None = None
        self._bad, self._bad_in_a_row = 0, 0

    async def run(self) -> None:
        for uuid in (pmd.CONTROL_POINT, pmd.DATA):
            await self._peer.subscribe(uuid)
        await self._start()
        if self._peer.has(HEART_RATE_MEASUREMENT):
            with optional("no heart rate"):  # refused, it costs nobody the watch over falls
                await self._peer.subscribe(HEART_RATE_MEASUREMENT)
        if self._at_wrist and self._link.settings.intervals:
            await self._start_intervals()
        if self._peer.has(BATTERY_LEVEL):
            with optional("no battery level"):
                level = await self._peer.read(BATTERY_LEVEL)
                self._take(Notification(_now_mono_s(), BATTERY_LEVEL, level))
                await self._peer.subscribe(BATTERY_LEVEL)
        await device_information.tell(self._link, self._peer)
        async for arrival in self._arrivals:
            self._take(arrival)

    async def rest(self) -> None:
        """Stop the stream if the bracelet is still there; tell what the session lost."""
        if self._streaming:
            with contextlib.suppress(LinkError, TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._peer.write(pmd.CONTROL_POINT, pmd.request(Op.STOP))
        if self._bad or self._count.lost:
            log.info("polar session ended device=%s bad_frames=%d lost_samples=%d", self._link.device, self._bad,
                     self._count.lost)

    async def _start(self) -> None:
        offered = await self._ask(Op.GET_SETTINGS)
        self._must(offered)
        try:
            chosen = choose(pmd.decode_settings(offered.parameters), self._link.settings.rate_hz)
        except DecodeError as error:
            raise LinkError(f"the bracelet's settings cannot be read ({error})", "update its firmware") from error
        started = await self._ask(Op.START, chosen)
        if started.status == Status.ALREADY_IN_STATE:  # a stream that nobody stopped, with settings not ours
            await self._ask(Op.STOP)
            started = await self._ask(Op.START, chosen)
        self._must(started)
        with contextlib.suppress(DecodeError):  # firmware without a factor sends milli-g
            self._factor = pmd.decode_settings(started.parameters).get(Setting.FACTOR, (1.0,))[0]
        self._range_g = chosen.get(Setting.RANGE, (float(_RANGE_WANTED_G),))[0]
        self._streaming = True
        if self._at_wrist:  # a strap has a coin cell and no charger
            self._emit_now(Binary(BinaryKind.CHARGING, active=False))

    async def _start_intervals(self) -> None:
        """PPI has no settings to choose. A device without it still watches over falls."""
        await self._ask(Op.STOP, measurement=pmd.PPI)
        started = await self._ask(Op.START, measurement=pmd.PPI)
        if started.status != Status.SUCCESS:
            log.warning("no intervals between beats device=%s status=%d: set intervals = false", self._link.device,
                        started.status)

    async def _ask(self, op: Op, settings: pmd.Settings | None = None, measurement: int = pmd.ACC) -> pmd.Response:
        """Do one control point request; what else arrives meanwhile is taken as ever."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._peer.write(pmd.CONTROL_POINT, pmd.request(op, measurement, settings))
                async for arrival in self._arrivals:
                    if arrival.uuid != pmd.CONTROL_POINT:
                        self._take(arrival)
                        continue
                    with contextlib.suppress(DecodeError):
                        response = pmd.decode_response(arrival.data)
                        if (response.op, response.measurement) == (op, measurement):
                            return response
        except TimeoutError:
            pass
        raise LinkError(f"the bracelet does not answer {op.name}", "switch it off and on")

    def _take(self, arrival: Notification) -> None:
        try:
            if arrival.uuid == pmd.DATA and arrival.data[:1] == _PPI_FRAME:
                self._tell_intervals(arrival)
            elif arrival.uuid == pmd.DATA and self._streaming:
                self._acc(arrival)
            elif arrival.uuid == HEART_RATE_MEASUREMENT:
                rate = decode_heart_rate(arrival.data)
                if rate.contact is not None and rate.contact is not self._worn:
                    self._worn = rate.contact
                    self._link.emit(Binary(BinaryKind.WORN, rate.contact), arrival.mono_s)
                beats = quantity(QuantityKind.HEART_RATE, rate.bpm, sure=rate.contact is not False)
                self._link.emit(beats, arrival.mono_s)
                if self._link.settings.intervals:
                    for interval_s in rate.rr_s:
                        self._emit_interval(1000 * interval_s, rate.contact is not False, arrival.mono_s)
            elif arrival.uuid == BATTERY_LEVEL:
                percent = decode_battery_percent(arrival.data)
                self._link.emit(Quantity(QuantityKind.BATTERY, percent), arrival.mono_s)
        except DecodeError as error:
            self._bad += 1
            self._bad_in_a_row += 1
            log.debug("bad frame device=%s reason=%r", self._link.device, str(error))
            if self._bad_in_a_row >= _BAD_IN_A_ROW:
                raise LinkError(f"{_BAD_IN_A_ROW} damaged frames in a row ({error})",
                                "switch the bracelet off and on; if it stays, update its firmware") from error

    def _tell_intervals(self, arrival: Notification) -> None:
        for beat in pmd.decode_ppi(arrival.data):
            self._emit_interval(beat.interval_ms, not beat.moved and beat.contact is not False, arrival.mono_s)

    def _emit_interval(self, interval_ms: float, sure: bool, mono_s: float) -> None:
        self._link.emit(quantity(QuantityKind.BEAT_INTERVAL, interval_ms, sure=sure), mono_s)

    def _acc(self, arrival: Notification) -> None:
        frame = pmd.decode_acc(arrival.data, self._factor)
        first = self._count.first_index(frame, arrival.mono_s)
        samples = b"".join(struct.pack("<hhh", *sample) for sample in frame.samples_mg)
        self._bad_in_a_row = 0
        self._link.ready()
        self._link.emit(Accel(self._link.settings.rate_hz, self._range_g, first, samples, self._at_wrist),
                        arrival.mono_s)

    def _must(self, response: pmd.Response) -> None:
        """Raise what an error code of the control point means."""
        match response.status:
            case Status.SUCCESS:
                return
            case Status.IN_CHARGER:
                self._emit_now(Binary(BinaryKind.CHARGING, active=True))
                raise LinkError("the bracelet lies in its charger", "take it out and put it on the wrist")
            case Status.INVALID_MEASUREMENT | Status.NOT_SUPPORTED:
                raise DeviceRejected("the device measures no acceleration", "use a Polar Verity Sense, OH1 or H10")
            case _:
                raise LinkError(f"the bracelet refused request {response.op} with error {response.status}",
                                "switch it off and on; if it stays, update its firmware")

    def _emit_now(self, value: Binary) -> None:
        self._link.emit(value, _now_mono_s())


def _now_mono_s() -> float:
    return asyncio.get_running_loop().time()  # CLOCK_MONOTONIC, or the virtual one under test


async def run(link: Link[PolarSettings], peer: BlePeer) -> None:
    """Run one session of a bracelet until the link ends."""
    await _run(_Session(link, peer, at_wrist=True))


async def run_h10(link: Link[H10Settings], peer: BlePeer) -> None:
    """Run one session of a chest strap until the link ends."""
    await _run(_Session(link, peer, at_wrist=False))


async def _run(session: _Session) -> None:
    try:
        await session.run()
    finally:
        await session.rest()


DRIVER = Driver(
    name="polar",
    title="Polar Verity Sense / OH1 bracelet",
    bus="ble",
    settings=PolarSettings,
    run=run,
    gives=("accel", "heart_rate", "beat_interval", "battery", BinaryKind.WORN.value, BinaryKind.CHARGING.value),
    marks=(Mark(name="Polar Sense "), Mark(name="Polar OH1 "),),
    falls=FallSource.WRIST,
    start_s=20.0,
    silence_s=15.0,  # heart rate comes every second, a frame of acceleration at least every two
    tested=(Tested.VECTORS, Tested.EMULATED),
)

H10 = Driver(
    name="polar-h10",
    title="Polar H10 chest strap",
    bus="ble",
    settings=H10Settings,
    run=run_h10,
    gives=("accel", "heart_rate", "beat_interval", "battery", BinaryKind.WORN.value),
    marks=(Mark(name="Polar H10 "),),
    start_s=20.0,
    silence_s=15.0,
    tested=(Tested.VECTORS,),
)
