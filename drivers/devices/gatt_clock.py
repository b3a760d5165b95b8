"""The clock of a device: read, set, and how old a measurement is by it.

Current Time Service 1.1, characteristic 2A2B: Date Time (7 bytes), day of week (1 is Monday), 1/256 s, adjust reason.
Date Time 2A08 alone is what simpler monitors offer instead (GATT Specification Supplement).
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from drivers.devices.gatt_fields import Fields
from drivers.devices.gatt_values import DecodeError
from gateway.spi import BlePeer, LinkError, LinkLost

log = logging.getLogger(__name__)

CURRENT_TIME = "00002a2b-0000-1000-8000-00805f9b34fb"
DATE_TIME = "00002a08-0000-1000-8000-00805f9b34fb"
_MANUAL = 0x01  # adjust reason: set by hand, from outside
_SLACK_S = 5.0  # what setting and stamping may take
_NOBODY_SET_IT = datetime(2025, 1, 1)  # noqa: DTZ001 - local time, as the devices have it


def decode_time(data: bytes) -> datetime | None:
    """Decode 2A2B or 2A08; None where the device does not know the time. Raises DecodeError."""
    return Fields(data, "time").date_time()


def encode_time(uuid: str, now: datetime) -> bytes:
    """Encode a local time for 2A2B or 2A08."""
    date_time = now.year.to_bytes(2, "little") + bytes([now.month, now.day, now.hour, now.minute, now.second])
    if uuid == DATE_TIME:
        return date_time
    return date_time + bytes([now.isoweekday(), now.microsecond * 256 // 1_000_000, _MANUAL])


class DeviceClock:
    """A device's clock in one session: as it was found, and as it was set."""

    def __init__(self) -> None:
        self._found: tuple[datetime, float] | None = None  # its time, and mono_s at which it had it
        self._set: tuple[datetime, float] | None = None

    async def meet(self, peer: BlePeer, now: datetime) -> None:
        """Read the clock, then set it to `now`, local time; a device that takes neither is left alone."""
        uuid = next((uuid for uuid in (CURRENT_TIME, DATE_TIME) if peer.has(uuid)), None)
        if uuid is None:
            return
        mono_s = asyncio.get_running_loop().time()
        with optional("the clock is not readable"):
            found = decode_time(await peer.read(uuid))
            self._found = (found, mono_s) if found else None
        if now < _NOBODY_SET_IT:  # our own clock is unset: the device's can only be better
            return
        with optional("the clock is not settable"):
            await peer.write(uuid, encode_time(uuid, now))
            self._set = (now, mono_s)

    def age_s(self, taken: datetime, mono_s: float) -> float | None:
        """How old a measurement is that arrives at `mono_s`; None where the clock that stamped it is not known.

        What was taken since the clock was set is stamped by the clock as set, all else by the clock as found.
        """
        for clock, session in ((self._set, True), (self._found, False)):
            if clock is None:
                continue
            time, at_mono_s = clock
            age_s = mono_s - at_mono_s + (time - taken) / timedelta(seconds=1)
            if age_s >= -_SLACK_S and (not session or age_s <= mono_s - at_mono_s + _SLACK_S):
                return max(0.0, age_s)
        return None


@contextlib.contextmanager
def optional(what: str) -> Iterator[None]:
    """Go on without what a device does not give; a lost link is another matter."""
    try:
        yield
    except LinkLost:
        raise
    except (LinkError, DecodeError) as error:
        log.debug("%s reason=%r", what, str(error))
