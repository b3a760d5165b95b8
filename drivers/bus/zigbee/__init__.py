# SPDX-License-Identifier: GPL-3.0-or-later
"""Zigbee through a coordinator stick, on zigpy; always in a process of its own.

zcl           ZCL frames -> messages, pure
peer          one device: its mailbox between and during sessions, its port
guard         no exception of ours may end in zigpy's DEBUG log
network       what the configuration wants of the stick
install_code  keys for joining, as printed on devices, pure
database      zigpy's database: checked, copied, set aside when damaged
backup        the network sealed in one file, to be taken to a new gateway
enrolment     IAS Zone enrolment, which zigpy leaves to its user
arrangement   bindings, reports, and requests of drivers
arranged      with which devices that is done
znp, ezsp     what is particular to sticks of Texas Instruments and of Silicon Labs
radio         one life of the stick; with what it imports the only user of zigpy, imported when the bus runs
bus           the lives of the stick one after the other, and the ports of the devices
"""

from typing import Annotated, Literal

import msgspec

from drivers.bus.zigbee import install_code
from drivers.bus.zigbee.bus import ZigbeeBus
from drivers.bus.zigbee.network import Network
from gateway.spi import Bus, BusContext, BusKind

Channel = Annotated[int, msgspec.Meta(ge=11, le=26)]
Channels = Annotated[list[Channel], msgspec.Meta(min_length=1, examples=[[15, 20, 25]])]


class ZigbeeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bus.zigbee]: `port` is the stick's path, best the one below /dev/serial/by-id, which survives re-plugging.

    `channels`: where a new network may be formed; 15, 20 and 25 lie between Wi-Fi's channels 1, 6 and 11.
    `stick`: its maker's stack, `znp` for Texas Instruments (CC2652), `ezsp` for Silicon Labs (EFR32).
    `install_codes`: keys for joining of devices that have one, `EUI-64 code` or the text of the QR code.
    `backup_passphrase`: seals the network's backup, which can then be taken to a new gateway.
    `overwrite_stick`: the address of one stick that holds another network, which is erased for this gateway's.
    """

    port: Annotated[str, msgspec.Meta(pattern=r"^/.", description="a path", examples=["/dev/serial/by-id/usb-..."])]
    channels: Channels = msgspec.field(default_factory=lambda: [15, 20, 25])
    stick: Literal["znp", "ezsp"] = "znp"
    install_codes: list[str] = []
    backup_passphrase: Annotated[str, msgspec.Meta(pattern=r"^(.{12,})?$", description="12 characters or more",
                                                   examples=["four words of your own"])] = ""
    overwrite_stick: Annotated[str, msgspec.Meta(pattern=r"^(([0-9a-f]{2}:){7}[0-9a-f]{2})?$",
                                                 description="a stick's address as its refusal names it",
                                                 examples=["00:12:4b:00:01:02:03:04"])] = ""

    def __post_init__(self) -> None:
        """Raise ValueError for an install code that is none."""
        self.keys()

    def keys(self) -> list[install_code.InstallCode]:
        return [install_code.parse(text) for text in self.install_codes]


def _make(settings: ZigbeeSettings, context: BusContext) -> Bus:
    network = Network(settings.port, settings.channels, settings.keys(), settings.backup_passphrase,
                      settings.overwrite_stick, settings.stick)
    return ZigbeeBus(network, context)


BUS: BusKind[ZigbeeSettings] = BusKind("zigbee", ZigbeeSettings, _make, own_process=True)
