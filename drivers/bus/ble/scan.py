"""The one scanner of this process: started once, restarted by its watchdog, its devices handed to the clients.

A second scanner, even inside bleak's own connect, would end in org.bluez.Error.InProgress.
"""

import asyncio
import logging
from collections.abc import Callable

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.bus.ble.backends import Backend
from drivers.bus.ble.ladder import Symptom
from drivers.bus.ble.recovery import RadioFault

log = logging.getLogger(__name__)

CALL_S = 15.0  # a hung controller answers HCI commands after the kernel's 10 s at the earliest
STOP_S = 5.0

Heard = Callable[[BLEDevice, AdvertisementData], None]


class Scan:
    """An active scan: passive ones have gaps of up to 26 s with an advertiser that does not change."""

    def __init__(self, backend: Backend, adapter: str, mono_s: Callable[[], float], heard: Heard) -> None:
        self._backend, self._adapter, self._mono_s, self._heard = backend, adapter, mono_s, heard
        self._scanner: BleakScanner | None = None
        self._heard_mono_s = 0.0
        self.advertisements = 0

    @property
    def is_on(self) -> bool:
        return self._scanner is not None

    def silent_s(self) -> float:
        """How long nobody at all has been heard."""
        return self._mono_s() - self._heard_mono_s

    async def start(self) -> None:
        """Begin to listen. Raises BusUnavailable."""
        self._heard_mono_s = self._mono_s()
        self._scanner = BleakScanner(self._on_advertisement, scanning_mode="active",
                                     **self._backend.options("scanner", self._adapter))
        try:
            async with asyncio.timeout(CALL_S):
                await self._scanner.start()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            raise RadioFault(Symptom.BROKEN, f"the scan does not start ({error or type(error).__name__})",
                             "none needed at first: it is tried again; if it stays: systemctl restart bluetooth"
                             ) from error

    async def stop(self) -> None:
        """Stop listening, as far as the other side lets us."""
        if self._scanner is None:
            return
        scanner, self._scanner = self._scanner, None
        try:
            async with asyncio.timeout(STOP_S):
                await scanner.stop()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            log.debug("scan did not stop cleanly error=%r", error)

    async def restart(self) -> None:
        """Stop and start: what frees a stuck discovery. Raises BusUnavailable."""
        await self.stop()
        await self.start()

    def _on_advertisement(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self._heard_mono_s = self._mono_s()
        self.advertisements += 1
        self._heard(device, advertisement)
