"""Adapter: org.bluez.Adapter1, discovery, and the Device1 objects that advertising makes."""

import asyncio
from typing import Any

from bleak.uuids import normalize_uuid_str
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Device
from bumble.hci import Address
from dbus_fast import Message, Variant

from hil.bluez.air import address_of
from hil.bluez.controller import GATEWAY_ADDRESS
from hil.bluez.faults import BlueZError, Faults
from hil.bluez.tree import Tree

ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"

_Type = AdvertisingData.Type
_UUID_LISTS = (_Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, _Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
               _Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, _Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS)
_SERVICE_DATA = (_Type.SERVICE_DATA_16_BIT_UUID, _Type.SERVICE_DATA_32_BIT_UUID, _Type.SERVICE_DATA_128_BIT_UUID)
_FLAGS = ("Paired", "Bonded", "Connected", "Trusted", "Blocked", "LegacyPairing", "ServicesResolved")
_ALWAYS_TOLD = ("ServiceData", "ManufacturerData")  # BlueZ tells these again even where they have not changed


def long_uuid(uuid: UUID) -> str:
    """The 128-bit form that D-Bus carries."""
    text: str = normalize_uuid_str(uuid.to_hex_str("-"))
    return text


def advertised(report: AdvertisingData, rssi_dbm: int) -> dict[str, Variant]:
    """Device1 properties that one advertising report sets."""
    data: Any = report  # Bumble types the values of all kinds as one union
    properties = {"RSSI": Variant("n", rssi_dbm)}
    if name := data.get(_Type.COMPLETE_LOCAL_NAME) or data.get(_Type.SHORTENED_LOCAL_NAME):
        properties |= {"Name": Variant("s", name), "Alias": Variant("s", name)}
    if makers := {code: Variant("ay", bytes(value)) for code, value in data.get_all(_Type.MANUFACTURER_SPECIFIC_DATA)}:
        properties["ManufacturerData"] = Variant("a{qv}", makers)
    services = {long_uuid(uuid): Variant("ay", bytes(value))
                for kind in _SERVICE_DATA for uuid, value in data.get_all(kind)}
    if services:
        properties["ServiceData"] = Variant("a{sv}", services)
    if uuids := [long_uuid(uuid) for kind in _UUID_LISTS for group in data.get_all(kind) for uuid in group]:
        properties["UUIDs"] = Variant("as", uuids)
    if (power_dbm := data.get(_Type.TX_POWER_LEVEL)) is not None:
        properties["TxPower"] = Variant("n", power_dbm)
    return properties


class Adapter:
    """hci0. `kept`: devices that somebody connected to, which therefore do not expire."""

    def __init__(self, tree: Tree, host: Device, faults: Faults, name: str, temporary_s: float) -> None:
        self._tree, self._host, self._faults, self._temporary_s = tree, host, faults, temporary_s
        self.path = f"/org/bluez/{name}"
        self.addresses: dict[str, Address] = {}
        self.kept: set[str] = set()
        self._heard_s: dict[str, float] = {}
        self._scanners: set[str] = set()

    def appear(self) -> None:
        self._tree.add(self.path, {ADAPTER: {
            "Address": Variant("s", GATEWAY_ADDRESS), "AddressType": Variant("s", "public"),
            "Name": Variant("s", "gateway"), "Alias": Variant("s", "gateway"), "Powered": Variant("b", True),
            "Discovering": Variant("b", False), "Discoverable": Variant("b", False), "Pairable": Variant("b", True),
            "UUIDs": Variant("as", []), "Roles": Variant("as", ["central", "peripheral"])}})

    async def vanish(self) -> None:
        """The dongle is pulled, or its firmware crashed."""
        await self.quiet()
        self._tree.remove(self.path)

    async def quiet(self) -> None:
        """End every discovery session."""
        self._scanners.clear()
        await self._listen()

    async def powered(self, on: bool) -> None:
        """Follow a change of Powered; the links are the caller's affair."""
        if not on:
            await self.quiet()
        self._tree.set(self.path, ADAPTER, {"Powered": Variant("b", on)})

    async def set_filter(self, _message: Message) -> None:
        """SetDiscoveryFilter: everybody here is LE, so there is nothing to filter."""

    async def start(self, message: Message) -> None:
        if not self._tree.get(self.path, ADAPTER, "Powered"):
            raise BlueZError("org.bluez.Error.NotReady", "Resource Not Ready")
        if message.sender in self._scanners:
            raise BlueZError("org.bluez.Error.InProgress", "Operation already in progress")
        self._scanners.add(str(message.sender))
        await self._listen()

    async def stop(self, message: Message) -> None:
        if message.sender not in self._scanners:
            raise BlueZError("org.bluez.Error.Failed", "No discovery started")
        await self.end(str(message.sender))

    async def end(self, sender: str) -> None:
        """End the session of one client, also of one that has died."""
        if sender in self._scanners:
            self._scanners.discard(sender)
            await self._listen()

    async def expire(self) -> None:
        """Forget devices not heard for `temporary_s`, as BlueZ does with those nobody connected to."""
        while True:
            await asyncio.sleep(self._temporary_s / 3)
            now_s = asyncio.get_running_loop().time()
            for path, heard_s in list(self._heard_s.items()):
                if now_s - heard_s > self._temporary_s and path not in self.kept:
                    del self._heard_s[path]
                    self._tree.remove(path)

    def heard(self, advertisement: Advertisement) -> None:
        """Make or change the Device1 object of an advertiser."""
        if not self._scanners or self._faults.deaf or self.path not in self._tree.objects:
            return
        path = self.path_of(address_of(advertisement.address))
        self._heard_s[path] = asyncio.get_running_loop().time()
        properties = advertised(advertisement.data, advertisement.rssi)
        if path not in self._tree.objects:
            self.know(advertisement.address, properties)
            return
        self.addresses[path] = advertisement.address
        now = self._tree.objects[path][DEVICE]
        changed = {name: value for name, value in properties.items()
                   if name in _ALWAYS_TOLD or name not in now or now[name].value != value.value}
        if changed:
            self._tree.set(path, DEVICE, changed)

    def know(self, address: Address, properties: dict[str, Variant] | None = None) -> str:
        """Make the Device1 object of an address; return its path."""
        path = self.path_of(address_of(address))
        self.addresses[path] = address
        self._tree.add(path, {DEVICE: _unknown_device(address_of(address), self.path) | (properties or {})})
        return path

    def path_of(self, address: str) -> str:
        return f"{self.path}/dev_{address.replace(':', '_')}"

    async def _listen(self) -> None:
        """Let the radio scan while any client wants it."""
        wanted = bool(self._scanners)
        if wanted == self._host.is_scanning:
            return
        if wanted:
            await self._host.start_scanning(legacy=True, active=True)
        else:
            await self._host.stop_scanning(legacy=True)
            for path in self._tree.below(self.path):
                if "RSSI" in self._tree.objects[path].get(DEVICE, {}):
                    self._tree.set(path, DEVICE, {}, gone=("RSSI",))
        self._tree.set(self.path, ADAPTER, {"Discovering": Variant("b", wanted)})


def _unknown_device(address: str, adapter_path: str) -> dict[str, Variant]:
    flags: dict[str, Any] = dict.fromkeys(_FLAGS, Variant("b", False))
    return flags | {"Address": Variant("s", address), "AddressType": Variant("s", "random"), "UUIDs": Variant("as", []),
                    "Alias": Variant("s", address.replace(":", "-")), "Adapter": Variant("o", adapter_path)}
