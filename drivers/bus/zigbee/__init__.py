# SPDX-License-Identifier: GPL-3.0-or-later
"""Zigbee through a TI coordinator stick (Z-Stack 3 over ZNP), on zigpy; always in a process of its own.

zcl         ZCL frames -> messages, pure
peer        one device: its mailbox between and during sessions, its port
guard       no exception of ours may end in zigpy's DEBUG log
database    zigpy's database: checked, copied, set aside when damaged
enrolment   IAS Zone enrolment, which zigpy leaves to its user
radio       one life of the stick; the only module that imports zigpy at its top, imported when the bus runs
bus         the lives of the stick one after the other, and the ports of the devices
"""

from typing import Annotated

import msgspec

from drivers.bus.zigbee.bus import ZigbeeBus
from gateway.spi import Bus, BusContext, BusKind

Channel = Annotated[int, msgspec.Meta(ge=11, le=26)]
Channels = Annotated[list[Channel], msgspec.Meta(min_length=1, examples=[[15, 20, 25]])]


class ZigbeeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bus.zigbee]: `port` is the stick's path, best the one below /dev/serial/by-id, which survives re-plugging.

    `channels`: where a new network may be formed; 15, 20 and 25 lie between Wi-Fi's channels 1, 6 and 11.
    """

    port: Annotated[str, msgspec.Meta(pattern=r"^/.", description="a path", examples=["/dev/serial/by-id/usb-..."])]
    channels: Channels = msgspec.field(default_factory=lambda: [15, 20, 25])


def _make(settings: ZigbeeSettings, context: BusContext) -> Bus:
    return ZigbeeBus(settings.port, settings.channels, context)


BUS: BusKind[ZigbeeSettings] = BusKind("zigbee", ZigbeeSettings, _make, own_process=True)
