"""Bonded: an emulated bracelet of standard services that shows its battery only to whom it is bonded with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bumble.device import Device
from bumble.gatt import Characteristic, Service
from bumble.pairing import PairingConfig, PairingDelegate

from hil.bluez.air import Air
from hil.bluez.controller import Radio, named, offering, peripheral

ADDRESS = "C0:00:00:00:00:B0"
BATTERY_PERCENT = 83
_ADVERTISING_MS = 100

Io = PairingDelegate.IoCapability
DISPLAY, COMPARES, NOTHING = Io.DISPLAY_OUTPUT_ONLY, Io.DISPLAY_OUTPUT_AND_YES_NO_INPUT, Io.NO_OUTPUT_NO_INPUT
KEYS = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY


class Display(PairingDelegate):
    """What its wearer sees. `shown`: the six digits on its display, as they would be read off."""

    def __init__(self, io: Io) -> None:
        super().__init__(io, KEYS, KEYS)
        self.shown = ""
        self.agrees = True

    async def compare_numbers(self, number: int, digits: int) -> bool:
        self.shown = f"{number:0{digits}d}"
        return self.agrees

    async def generate_passkey(self) -> int:
        passkey = await super().generate_passkey() or 1  # Bumble 0.0.236 takes a passkey of zero for none
        self.shown = f"{passkey:06d}"
        return passkey


class Bonded:
    """One bracelet on one wrist."""

    def __init__(self, air: Air, io: Io, address: str) -> None:
        self.air, self.address, self.display = air, address, Display(io)
        self._device: Device
        self._radio: Radio

    @property
    def connected(self) -> bool:
        return bool(self._device.connections)

    def drop(self) -> None:
        """Lose the link, staying in range."""
        self.air.drop_links(self._radio)

    async def bonds(self) -> int:
        """How many it has."""
        assert self._device.keystore is not None
        return len(await self._device.keystore.get_all())

    async def reset(self) -> None:
        """Be set back as from the factory: every bond is forgotten."""
        assert self._device.keystore is not None
        await self._device.keystore.delete_all()
        self.drop()

    async def power_on(self) -> None:
        protected = Characteristic.READ_REQUIRES_ENCRYPTION
        battery = Characteristic("2A19", Characteristic.Properties.READ, protected, bytes([BATTERY_PERCENT]))
        self._device, self._radio = await peripheral(
            self.air, "bonded", self.address, _ADVERTISING_MS, [Service("180F", [battery])],
            offering("180F"), named("Bonded band"))
        mitm = self.display.io_capability is not NOTHING
        self._device.pairing_config_factory = lambda _link: PairingConfig(mitm=mitm, delegate=self.display)

    async def power_off(self) -> None:
        await self._device.power_off()


@asynccontextmanager
async def bonded(air: Air, io: Io = DISPLAY, address: str = ADDRESS) -> AsyncIterator[Bonded]:
    """Wear a bracelet while the context is open."""
    bracelet = Bonded(air, io, address)
    await bracelet.power_on()
    try:
        yield bracelet
    finally:
        bracelet.drop()
        await bracelet.power_off()
