"""Modbus RTU: one serial line with many units, over pymodbus.

Rules of the line
- One request at a time, and 3.5 characters of silence between frames (Modbus over serial line V1.02, 2.5.1.1). The line
  is given up between two tries, so that a dead unit costs its neighbours one answer time and not all of its retries.
- pymodbus neither retries nor reconnects here (retries=0, reconnect_delay=0): by itself it would go on asking a line
  that is gone, and open it again behind our back with a pause that grows to five minutes.
- RTU answers carry no number. After a try without a good answer the line must be quiet for QUIET_S before the next one,
  so that an answer a little late is not taken for the next one's; one later still must at least fit the question.
"""

import asyncio
import logging
import os
import stat
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, Protocol

import msgspec
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import ModbusPDU

from gateway.spi import BusContext, BusKind, BusUnavailable, DeviceRejected, LinkError, LinkLost

# It reports every missed answer as an error of its own; the session that missed it says so once.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

RETRIES = 2
QUIET_S = 0.03
READ_DISCRETE_INPUTS, READ_INPUT_REGISTERS = 2, 4  # V1.1b3, 6.2 and 6.4
BITS_PER_CHARACTER = 11  # start, 8 data, parity or a second stop, stop (V1.02, 2.5.1)
WIRES = "check the unit's power, its wires A and B, its address and the baud rate"
_PERMANENT = {  # application protocol V1.1b3, 7: asking again is answered the same way
    1: "does not know function {function}",
    2: "has no address {address} to {end}",
    3: "refuses {count} values at once",
}
_PASSING = {4: "reports a failure of its own", 5: "needs longer", 6: "is busy", 8: "has a memory fault",
            10: "is behind a gateway without a path", 11: "does not answer its gateway"}


class ModbusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bus.modbus]: `port`: the adapter's path, best its by-id one. `answer_s`: how long a unit may think."""

    port: Annotated[str, msgspec.Meta(examples=["/dev/serial/by-id/usb-..."])]
    baudrate: Annotated[int, msgspec.Meta(ge=300, le=1_000_000)] = 9600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    answer_s: Annotated[float, msgspec.Meta(ge=0.02, le=10.0)] = 0.3


class Addressed(Protocol):
    """What a driver's settings must say for this bus."""

    @property
    def unit(self) -> int:
        """The unit's address, 1..247."""


def gap_s(baudrate: int) -> float:
    """Return the least silence between two frames: 3.5 characters, 1.75 ms above 19200 baud (V1.02, 2.5.1.1)."""
    return 0.00175 if baudrate > 19200 else 3.5 * BITS_PER_CHARACTER / baudrate


def wire_s(answer_bytes: int, baudrate: int) -> float:
    """Return how long a request of 8 bytes and an answer of `answer_bytes` take on the wire."""
    return (8 + answer_bytes) * BITS_PER_CHARACTER / baudrate


class _Missed(Exception):
    """One try without a good answer; `why` is the name of its counter."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Line:
    """The bus: opens the serial line again whenever it is back, and asks one question at a time."""

    def __init__(self, settings: ModbusSettings, context: BusContext) -> None:
        self._settings, self._mono_s = settings, context.mono_s
        self._client: AsyncModbusSerialClient | None = None
        self._fault: BusUnavailable | None = None
        self._changed = asyncio.Event()  # replaced at each change: waiters look again
        self._turn = asyncio.Lock()
        self._deadline: asyncio.Timeout | None = None  # of the question being asked
        self._heard_mono_s = 0.0
        self._heard_frame = b""
        self._units: Counter[int] = Counter()
        self._counts: Counter[str] = Counter()

    # -- Bus --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hold the line open until cancelled. Raises BusUnavailable."""
        port = self._settings.port
        try:
            lost = asyncio.Event()
            client = await self._connect(lost)
            self._counts["opened"] += 1
            self._set(client, None)
            await lost.wait()
            raise BusUnavailable(f"the serial line {port} was unplugged",
                                 f"plug the adapter in again and look for it with: ls {os.path.dirname(port)}")
        except BusUnavailable as fault:
            self._set(None, fault)
            raise
        finally:
            self._set(None, self._fault)

    @asynccontextmanager
    async def open(self, device: str, settings: Addressed) -> AsyncIterator["Unit"]:
        """Give a port to the unit at `settings.unit`; it is asked nothing before the driver asks."""
        del device
        while self._client is None:
            if self._fault is not None:
                raise self._fault
            await self._changed.wait()
        self._units[settings.unit] += 1
        try:
            yield Unit(self, settings.unit)
        finally:
            self._units[settings.unit] -= 1

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Ask the units 1 to 16 for their first input; those already configured are left alone."""
        if self._client is None:
            raise self._fault or BusUnavailable("the serial line is not open yet", "try again in a moment")
        found: list[dict[str, Any]] = []
        wanted = [unit for unit in range(1, 17) if not self._units[unit]]
        for unit in wanted:
            try:
                pdu = await self._try(unit, READ_DISCRETE_INPUTS, 0, 1, answer_s=seconds / len(wanted))
            except _Missed:
                continue
            found.append({"name": f"modbus-{unit}", "driver": None if pdu.isError() else "modbus-inputs",
                          "settings": {"unit": unit}})
        return found

    def health(self) -> dict[str, Any]:
        names = ("opened", "requests", "answers", "silent", "nonsense", "crc_errors", "exceptions")
        return {"port": self._settings.port, "open": self._client is not None,
                **{name: self._counts[name] for name in names}}

    # -- asking -----------------------------------------------------------------------------------------------------

    async def ask(self, unit: int, function: int, address: int, count: int) -> tuple[float, ModbusPDU]:
        """Return (mono_s, answer) after at most 1 + RETRIES tries. Raises LinkLost, DeviceRejected."""
        why = ""
        for _ in range(1 + RETRIES):
            try:
                pdu = await self._try(unit, function, address, count, self._settings.answer_s)
            except _Missed as missed:
                why = missed.why
                continue
            if pdu.isError():
                self._counts["exceptions"] += 1
                raise _refusal(unit, pdu.exception_code, function, address, count)
            self._counts["answers"] += 1
            return self._heard_mono_s, pdu
        what = "does not answer" if why == "silent" else "answers nonsense"
        cure = WIRES if why == "silent" else f"{WIRES}; look for a second unit with the same address"
        raise LinkLost(f"unit {unit} on {self._settings.port} {what} ({1 + RETRIES} tries)", cure)

    async def _try(self, unit: int, function: int, address: int, count: int, answer_s: float) -> ModbusPDU:
        """Ask once. Raises _Missed where no good answer came, LinkLost where the line is gone."""
        answer_bytes = 5 + (2 * count if function == READ_INPUT_REGISTERS else (count + 7) // 8)
        async with self._turn:
            await self._silence(gap_s(self._settings.baudrate), self._heard_mono_s)
            client = self._client
            if client is None:
                raise self._lost()
            ask = client.read_discrete_inputs if function == READ_DISCRETE_INPUTS else client.read_input_registers
            self._heard_frame = b""
            self._counts["requests"] += 1
            try:
                async with asyncio.timeout(answer_s + wire_s(answer_bytes, self._settings.baudrate)) as self._deadline:
                    pdu = await ask(address, count=count, device_id=unit)
                if _fits(pdu, function, count):
                    return pdu
            except (ModbusException, TimeoutError):
                pass  # no answer, or one that cannot be read: the bytes heard tell which
            finally:
                self._deadline = None
            if self._client is not client:
                raise self._lost()
            why = "nonsense" if self._heard_frame else "silent"
            self._counts[why] += 1
            self._counts["crc_errors"] += why == "nonsense" and not _whole(self._heard_frame)
            await self._silence(QUIET_S, self._mono_s())
            raise _Missed(why)

    async def _silence(self, quiet_s: float, since_mono_s: float) -> None:
        """Return once nothing was heard for `quiet_s`, at most ten times that long from now."""
        give_up_mono_s = self._mono_s() + 10 * quiet_s
        while True:
            until_mono_s = min(max(self._heard_mono_s, since_mono_s) + quiet_s, give_up_mono_s)
            if (left_s := until_mono_s - self._mono_s()) <= 0:
                return
            await asyncio.sleep(left_s)

    # -- the line ---------------------------------------------------------------------------------------------------

    async def _connect(self, lost: asyncio.Event) -> AsyncModbusSerialClient:
        settings = self._settings

        def on_connect(connected: bool) -> None:
            if not connected:
                lost.set()
                self._set(None, BusUnavailable(f"the serial line {settings.port} was unplugged", "plug it in again"))

        client = AsyncModbusSerialClient(
            settings.port, baudrate=settings.baudrate, parity=settings.parity, stopbits=settings.stopbits,
            timeout=settings.answer_s + wire_s(256, settings.baudrate), retries=0, reconnect_delay=0,
            trace_packet=self._heard, trace_connect=on_connect)
        if not await client.connect():
            raise _unavailable(settings.port)
        return client

    def _heard(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._heard_mono_s = self._mono_s()
            self._heard_frame += data
        return data

    def _set(self, client: AsyncModbusSerialClient | None, fault: BusUnavailable | None) -> None:
        if self._client is not None and client is None:
            self._client.close()
            if self._deadline is not None and not self._deadline.expired():
                self._deadline.reschedule(asyncio.get_running_loop().time())  # who waits for an answer learns it now
        self._client, self._fault = client, fault
        self._changed.set()
        self._changed = asyncio.Event()

    def _lost(self) -> LinkError:
        return LinkLost(f"the serial line {self._settings.port} is gone", "plug the adapter in again")


class Unit:
    """ModbusPort of one unit."""

    def __init__(self, line: Line, unit: int) -> None:
        self._line, self._unit = line, unit

    async def read_discrete_inputs(self, address: int, count: int) -> tuple[float, list[bool]]:
        mono_s, pdu = await self._line.ask(self._unit, READ_DISCRETE_INPUTS, address, count)
        return mono_s, list(pdu.bits[:count])

    async def read_input_registers(self, address: int, count: int) -> tuple[float, list[int]]:
        mono_s, pdu = await self._line.ask(self._unit, READ_INPUT_REGISTERS, address, count)
        return mono_s, list(pdu.registers)


def _whole(frame: bytes) -> bool:
    """Tell whether the frame's CRC is right (V1.02, 6.2.2): nonsense with a good one is a unit's fault, not noise's."""
    return len(frame) > 3 and FramerRTU.compute_CRC(frame[:-2]).to_bytes(2, "big") == frame[-2:]


def _fits(pdu: ModbusPDU, function: int, count: int) -> bool:
    """Tell whether this answers that question: pymodbus takes any function's answer, of any length, for any request."""
    if pdu.isError():
        return pdu.function_code & 0x7F == function
    if pdu.function_code != function:
        return False
    return len(pdu.registers) == count if function == READ_INPUT_REGISTERS else len(pdu.bits) == (count + 7) // 8 * 8


def _refusal(unit: int, code: int, function: int, address: int, count: int) -> LinkError | DeviceRejected:
    """Make the error for a Modbus exception: permanent ones hold the device, passing ones try again."""
    if code in _PERMANENT:
        what = _PERMANENT[code].format(function=function, address=address, end=address + count - 1, count=count)
        return DeviceRejected(f"unit {unit} {what} (Modbus exception {code})",
                              "set `unit` and `inputs` after the module's manual")
    what = _PASSING.get(code, "refuses")
    return LinkLost(f"unit {unit} {what} (Modbus exception {code})", "if it stays so, switch the unit off and on")


def _unavailable(port: str) -> BusUnavailable:
    """Find out why the line could not be opened; pymodbus only says that it could not."""
    try:
        mode = os.stat(port).st_mode
    except OSError:
        return BusUnavailable(f"there is no serial line {port}", "check the adapter's cable and set [bus.modbus] port "
                              "to a path that this shows: ls /dev/serial/by-id")
    if not stat.S_ISCHR(mode):
        return BusUnavailable(f"{port} is no serial line", "set [bus.modbus] port to a path that this shows: "
                              "ls /dev/serial/by-id")
    if not os.access(port, os.R_OK | os.W_OK):
        return BusUnavailable(f"the serial line {port} may not be opened",
                              "put the service's user into the group dialout and restart it")
    return BusUnavailable(f"the serial line {port} is busy or does not take its settings",
                          f"find the other program with: fuser {port}; then check baudrate, parity and stopbits")


BUS = BusKind(name="modbus", settings=ModbusSettings, make=Line)
