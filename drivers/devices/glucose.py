"""Glucose meters (Glucose Service 1808): stored measurements, each fetched once.

Glucose Service 1.0.1, 3.1 (measurement 2A18) and 3.4 (Record Access Control Point 2A52); fields in the GATT
Specification Supplement, Glucose Measurement. A meter notifies records only when asked. Its records are numbered and
no number comes back (3.1.1.2), so the highest one that was emitted is kept, and only those above it are asked for. That
note is on disk some seconds later; what a crash lets come again by then the gateway knows by its `record`. The
context of a measurement (2A34: meals, exercise, medication) is left alone.

    answer to "records from N on"    then
    success                          ask again after POLL_S, from the highest on
    no records found                 look at the last record: below the highest kept, the meter was reset: ask for all
    anything else, or none           LinkError
"""

import asyncio
import contextlib
from datetime import datetime, timedelta

import msgspec

from drivers.devices.gatt_fields import Fields
from drivers.devices.gatt_values import DecodeError
from drivers.devices.measured import PLAUSIBLE, Measured, quantity
from drivers.devices.medfloat import Number, Special
from drivers.devices.monitor import MonitorSettings, Session
from gateway.model.reading import Binary, BinaryKind, QuantityKind
from gateway.spi import BlePeer, Driver, Link, LinkError, Mark, Tested

MEASUREMENT = "00002a18-0000-1000-8000-00805f9b34fb"
RACP = "00002a52-0000-1000-8000-00805f9b34fb"

_OFFSET, _CONCENTRATION, _MOL, _ANNUNCIATION = 0x01, 0x02, 0x04, 0x08
_CONTROL_SOLUTION = 0xA  # type of sample: a test of the meter, not of a person
_BATTERY_LOW = 1 << 0
_FAULTY = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10
"""Sensor malfunction, sample too small, strip error, wrong strip, strip pulled early, too hot or cold, interrupted."""
_TOO_HIGH, _TOO_LOW = 1 << 5, 1 << 6  # for the device to process: HI and LO on its display
MMOL_PER_L_OF_KG_PER_L = 1e6 / 180.156  # molar mass of glucose, C6H12O6, in g/mol

_REPORT, _RESPONSE = 0x01, 0x06
_ALL, _FROM, _LAST, _BY_NUMBER = 0x01, 0x03, 0x06, 0x01
SUCCESS, NO_RECORDS = 0x01, 0x06
HIGHEST = 0xFFFF  # number of a record; behind it a meter has nothing new to tell
ANSWER_S = 30.0  # a full memory takes a while
POLL_S = 60.0


class Glucose(msgspec.Struct, frozen=True):
    """One record. `mmol_per_l`: None where it holds no concentration; `status`: Sensor Status Annunciation."""

    number: int
    taken: datetime | None
    mmol_per_l: Number | None = None
    sample: int = 0
    site: int = 0
    status: int = 0


def decode(data: bytes) -> Glucose:
    """Decode 2A18. Raises DecodeError."""
    fields = Fields(data, "glucose")
    flags, number, base = fields.unsigned(1), fields.unsigned(2), fields.date_time()
    offset_min = fields.optional(flags & _OFFSET, lambda: fields.signed(2)) or 0
    value = fields.optional(flags & _CONCENTRATION, fields.sfloat)
    kind = fields.optional(flags & _CONCENTRATION, lambda: fields.unsigned(1)) or 0
    if value is not None and not isinstance(value, Special):
        value *= 1e3 if flags & _MOL else MMOL_PER_L_OF_KG_PER_L
    status = fields.optional(flags & _ANNUNCIATION, lambda: fields.unsigned(2)) or 0
    return Glucose(number, _shifted(base, offset_min), value, kind & 0x0F, kind >> 4, status)


def measured(record: Glucose) -> Measured:
    """What a record says of the resident; nothing where it is of control solution or has no concentration.

    What is beyond the meter's range is told as the end of the range of home meters: nothing calls for help sooner.
    A record without a date has no name that is its own: a meter that was reset gives its number again.
    """
    values: list[Binary] = []
    if record.status & _BATTERY_LOW:
        values.append(Binary(BinaryKind.BATTERY_LOW, active=True))
    lowest, highest = PLAUSIBLE[QuantityKind.GLUCOSE]
    number = record.mmol_per_l
    if record.status & _TOO_HIGH or number is Special.POS_INF:
        number = highest
    elif record.status & _TOO_LOW or number is Special.NEG_INF:
        number = lowest
    if number is None or record.sample == _CONTROL_SOLUTION:
        return Measured(tuple(values))
    glucose = quantity(QuantityKind.GLUCOSE, number, sure=not record.status & _FAULTY)
    name = "" if record.taken is None else f"{record.number} {record.taken.isoformat()}"
    return Measured((*values, glucose), record.taken, spot=True, record=name)


def report_from(number: int) -> bytes:
    """Ask for every record numbered so and above; from 0 on that is all of them."""
    if number == 0:
        return bytes([_REPORT, _ALL])
    return bytes([_REPORT, _FROM, _BY_NUMBER]) + number.to_bytes(2, "little")


def report_last() -> bytes:
    """Ask for the newest record."""
    return bytes([_REPORT, _LAST])


def decode_answer(data: bytes) -> int | None:
    """Return the response code to a report; None for any other indication. Raises DecodeError."""
    if len(data) < 2:
        raise DecodeError(f"record access answer {data.hex()}")
    if data[0] != _RESPONSE or data[2:3] != bytes([_REPORT]):
        return None
    if len(data) < 4:
        raise DecodeError("record access answer is cut short")
    return data[3]


class _Meter:
    """One session with a meter."""

    def __init__(self, link: Link[MonitorSettings], peer: BlePeer) -> None:
        self._peer = peer
        self._session = Session(link, peer, {MEASUREMENT: self._measure})
        note = peer.notes.recall()
        self._next = int.from_bytes(note, "little") if len(note) == 3 else 0  # one above the highest
        self._probing: list[int] | None = None

    async def run(self) -> None:
        await self._session.open()
        await self._peer.subscribe(RACP)
        while True:
            answer = await self._ask(report_from(min(self._next, HIGHEST)))
            if answer == NO_RECORDS and self._next and await self._was_reset():
                self._keep(0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    async for arrival in self._peer.notifications():
                        self._session.take(arrival)

    async def _was_reset(self) -> bool:
        self._probing = []
        try:
            answer = await self._ask(report_last())
            return answer == NO_RECORDS or any(number < self._next - 1 for number in self._probing)
        finally:
            self._probing = None

    async def _ask(self, request: bytes) -> int:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._peer.write(RACP, request)
                async for arrival in self._peer.notifications():
                    if arrival.uuid != RACP:
                        self._session.take(arrival)
                        continue
                    code = _answer(arrival.data)
                    if code in (SUCCESS, NO_RECORDS):
                        return code
                    if code is not None:
                        raise LinkError(f"the meter refused to report its records with code {code}",
                                        "switch it off and on; if it stays, it is another model")
        except TimeoutError:
            pass
        raise LinkError("the meter does not answer for its records", "switch it off and on, near the gateway")

    def _measure(self, data: bytes) -> Measured:
        record = decode(data)
        if self._probing is not None:
            self._probing.append(record.number)
            return Measured(())
        if record.number < self._next:
            return Measured(())
        self._keep(record.number + 1)
        return measured(record)

    def _keep(self, number: int) -> None:
        self._next = number
        self._peer.notes.keep(number.to_bytes(3, "little"))


def _answer(data: bytes) -> int | None:
    try:
        return decode_answer(data)
    except DecodeError:
        return None  # the timeout tells, if no better one follows


def _shifted(base: datetime | None, offset_min: int) -> datetime | None:
    try:
        return None if base is None else base + timedelta(minutes=offset_min)
    except OverflowError:
        return None


async def run(link: Link[MonitorSettings], peer: BlePeer) -> None:
    """Fetch what is new, then look again every POLL_S, until the link ends."""
    await _Meter(link, peer).run()


DRIVER: Driver[MonitorSettings, BlePeer] = Driver(
    "glucose", "Glucose meter (Bluetooth Glucose profile)", "ble", MonitorSettings, run,
    gives=("glucose", "battery", "battery_low"),
    marks=(Mark(service="00001808-0000-1000-8000-00805f9b34fb"),),
    start_s=30.0, portable=True, tested=(Tested.VECTORS,))
