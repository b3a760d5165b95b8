# SPDX-License-Identifier: GPL-3.0-or-later
"""What is agreed with a device once it has joined: bindings, reports, Tuya's spell; and requests of drivers.

Which of it a product needs, drivers/devices/zigbee_models.py says. The battery's reports are its heartbeat.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from zigpy.device import Device
from zigpy.zcl import Cluster, ClusterType

from drivers.devices.zigbee_models import Setup, setup_of

ANSWER_S = 10.0  # for a device that does not sleep
BASIC, TUYA = 0x0000, 0xEF00
SPELL = (0x0004, 0x0000, 0x0001, 0x0005, 0x0007, 0xFFFE)  # what Tuya's own gateway reads of Basic, in one request
TUYA_QUERY = 0x03  # "tell all datapoints" (Tuya, Zigbee generic interfaces)
CLUSTER_SPECIFIC = 0x01  # frame control, ZCL 2.4.1.1; a default response is welcome


class Report(NamedTuple):
    """A wish for reports of one attribute: when it changes by `change`, not before `least_s`, at `most_s` anyway."""

    attribute: int
    least_s: int
    most_s: int
    change: int


REPORTS = {
    0x0001: Report(0x0021, 3600, 21600, 2),  # battery: four beats a day, so that a lost one is not a dead battery
    0x0402: Report(0x0000, 60, 3600, 50),
    0x0405: Report(0x0000, 60, 3600, 200),
    0x0406: Report(0x0000, 0, 3600, 1),
    0x0702: Report(0x0400, 5, 300, 5),
    0x0B04: Report(0x050B, 5, 300, 5),
}
BOUND_SERVERS = (0x0500, 0xFD00, 0xFC8B)  # they tell by themselves
BOUND_CLIENTS = (0x0501, 0x0006, 0x0005, 0x0008)  # a button's: its commands go where they are bound


async def arrange(device: Device) -> bool:
    """Agree with a device on all of it; True when done. Raises one of enrolment.NotAnswered.

    What a device refuses, it refuses: it then has its own rhythm.
    """
    setup = setup_of(device.manufacturer or "", device.model or "")
    if setup is Setup.SPELL:
        await read(device, BASIC, SPELL)
        await command(device, TUYA, TUYA_QUERY, b"")
    if setup is not Setup.REPORTS:
        return True
    for cluster_id, report in REPORTS.items():
        if (cluster := _server(device, cluster_id)) is not None:
            await cluster.bind()  # type: ignore[no-untyped-call]
            await cluster.configure_reporting(report.attribute, report.least_s, report.most_s, report.change)
            await read(device, cluster_id, [report.attribute])
    for cluster_id in BOUND_SERVERS:
        if (cluster := _server(device, cluster_id)) is not None:
            await cluster.bind()  # type: ignore[no-untyped-call]
    for endpoint in device.non_zdo_endpoints:
        for cluster_id in BOUND_CLIENTS:
            if cluster_id in endpoint.out_clusters:
                await endpoint.out_clusters[cluster_id].bind()
    return True


async def read(device: Device, cluster_id: int, attributes: Sequence[int]) -> bool:
    """Read attributes, whether zigpy knows them or not; False where the device has no such cluster."""
    cluster = _server(device, cluster_id)
    if cluster is None:
        return False
    async with asyncio.timeout(None if device.node_desc is None or device.node_desc.is_end_device else ANSWER_S):
        await cluster.read_attributes_raw(list(attributes))
    return True


async def command(device: Device, cluster_id: int, number: int, payload: bytes) -> bool:
    """Send a cluster-specific command, whether zigpy knows it or not; False where the device has no such cluster."""
    cluster = _server(device, cluster_id)
    if cluster is None:
        return False
    sequence = device.get_sequence()
    await device.request(
        profile=cluster.endpoint.profile_id, cluster=cluster_id, src_ep=1, dst_ep=cluster.endpoint.endpoint_id,
        sequence=sequence, data=bytes((CLUSTER_SPECIFIC, sequence, number)) + payload, expect_reply=False)
    return True


def _server(device: Device, cluster_id: int) -> Cluster | None:
    try:
        return device.find_cluster(cluster_id, ClusterType.Server)
    except ValueError:
        return None
