# SPDX-License-Identifier: GPL-3.0-or-later
"""IAS Zone enrolment (ZCL 8.2), which zigpy leaves to its user.

Order: bind; write our address as the CIE's; answer as if asked (some zones wait for it, some ask first, a second
answer does no harm); read back. Only ZONE_STATE 1 read from the device counts as enrolled, and zigpy keeps what was
read in its database, so that a sleepy device need not be asked again after a restart.
"""

import asyncio
from typing import Any

import zigpy.exceptions
from zigpy.device import Device
from zigpy.types import EUI64
from zigpy.zcl import Cluster
from zigpy.zcl.clusters.security import IasZone

ENROLLED = 1  # ZONE_STATE, ZCL 8.2.2.2.1.1
PROBE_S = 30.0

# What zigpy and the radio raise where a device or the stick does not answer; RuntimeError: the stick is closing.
NotAnswered = (TimeoutError, zigpy.exceptions.ZigbeeException, RuntimeError)


def zone_of(device: Device) -> Cluster | None:
    """The device's IAS Zone server, if it has one."""
    try:
        return device.find_cluster(IasZone.cluster_id)
    except ValueError:
        return None


def zone_type(device: Device) -> int | None:
    """The zone type last read, None where there is none."""
    zone = zone_of(device)
    kind = None if zone is None else zone.get(IasZone.AttributeDefs.zone_type.id)
    return None if kind is None else int(kind)


def is_enrolled(device: Device, cie: EUI64) -> bool:
    """Tell whether nothing more is to be done, as far as the device's last words go."""
    zone = zone_of(device)
    return zone is None or (zone.get(IasZone.AttributeDefs.zone_state.id) == ENROLLED
                            and str(zone.get(IasZone.AttributeDefs.cie_addr.id)) == str(cie)  # text from the database
                            and zone.get(IasZone.AttributeDefs.zone_type.id) is not None)


async def enrol(device: Device, cie: EUI64, zone_id: int) -> bool:
    """Enrol the device with us; True if it says so itself. Raises one of NotAnswered."""
    zone = zone_of(device)
    if zone is None:
        return True
    await zone.bind()  # type: ignore[no-untyped-call]
    await zone.write_attributes({IasZone.AttributeDefs.cie_addr.id: cie})
    await answer(device, zone_id)
    await _read(zone)
    return is_enrolled(device, cie)


async def answer(device: Device, zone_id: int) -> None:
    """Send a Zone Enroll Response, asked or not. Raises one of NotAnswered."""
    zone = zone_of(device)
    if zone is not None:
        await zone.command(IasZone.ServerCommandDefs.enroll_response.id, 0, zone_id, expect_reply=False)


async def probe(device: Device, cie: EUI64) -> bool | None:
    """Ask once, without insisting, how the zone stands; None if it sleeps or is gone."""
    zone = zone_of(device)
    if zone is None:
        return True
    try:
        async with asyncio.timeout(PROBE_S):
            await _read(zone, retries=0)
    except NotAnswered:
        return None
    return is_enrolled(device, cie)


async def _read(zone: Cluster, **how: Any) -> None:
    attributes = IasZone.AttributeDefs
    await zone.read_attributes(
        [attributes.zone_state.id, attributes.zone_type.id, attributes.zone_status.id, attributes.cie_addr.id], **how)
