"""Beacon: an emulated device that only advertises service data of one UUID, as BTHome sensors do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bumble.core import UUID, AdvertisingData
from bumble.data_types import Flags, ServiceData16BitUUID
from bumble.device import Device

from hil.bluez.air import Air
from hil.bluez.controller import peripheral

ADDRESS = "C2:5B:E7:7A:11:0E"
BTHOME = 0xFCD2
_ADVERTISING_MS = 100


class Beacon:
    """One advertiser in the air; silent until told what to say."""

    def __init__(self, air: Air, address: str = ADDRESS, uuid: int = BTHOME) -> None:
        self.address, self._air, self._uuid = address, air, uuid
        self._device: Device | None = None

    async def say(self, data: bytes) -> None:
        """Advertise this service data from now on, in place of what was said before."""
        if self._device is None:
            self._device, _ = await peripheral(self._air, "", self.address, _ADVERTISING_MS, [], self._encode(data))
            return
        await self._device.stop_advertising()
        self._device.advertising_data = self._encode(data)
        await self._device.start_advertising(auto_restart=True, advertising_interval_min=_ADVERTISING_MS,
                                             advertising_interval_max=_ADVERTISING_MS)

    async def power_off(self) -> None:
        if self._device is not None:
            await self._device.power_off()

    def _encode(self, data: bytes) -> bytes:
        flags = Flags(AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE
                      | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED)
        return bytes(AdvertisingData([flags, ServiceData16BitUUID(UUID.from_16_bits(self._uuid), data)]))


@asynccontextmanager
async def beacon(air: Air, address: str = ADDRESS, uuid: int = BTHOME) -> AsyncIterator[Beacon]:
    """Have a beacon in the air while the context is open."""
    device = Beacon(air, address, uuid)
    try:
        yield device
    finally:
        await device.power_off()
