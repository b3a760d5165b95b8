# SPDX-License-Identifier: GPL-3.0-or-later
"""Sticks of Silicon Labs (EmberZNet over EZSP and ASH): what is particular to bellows. The twin of znp.py.

bellows itself tells of a lost port and of a stick that reset itself: both end in connection_lost().
"""

import asyncio
from collections.abc import Callable
from typing import Any

from bellows.exception import EzspError  # type: ignore[import-untyped]
from bellows.zigbee.application import ControllerApplication  # type: ignore[import-untyped]
from zigpy.types import EUI64, AddrMode, KeyData, ZigbeePacket

OnFrame = Callable[[int, int, int, bytes], None]


class Application(ControllerApplication):  # type: ignore[misc]
    """bellows' application, which hands each frame over before zigpy decides what to do with it."""

    on_frame: OnFrame | None = None

    def packet_received(self, packet: ZigbeePacket) -> None:
        source: Any = packet.src
        if self.on_frame is not None and packet.src_ep and source is not None and source.addr_mode == AddrMode.NWK:
            self.on_frame(int(source.address), int(packet.src_ep), int(packet.cluster_id),
                          bytes(packet.data.serialize()))
        super().packet_received(packet)


def config(port: str) -> dict[str, Any]:
    """Return the part of zigpy's configuration that is this stack's."""
    del port  # the same for all
    return {"use_thread": False}


def tap(app: Application, on_frame: OnFrame, on_reset: Callable[[], None]) -> None:
    """Hand over each frame: short address, endpoint, cluster, ZCL frame."""
    del on_reset  # bellows sees to it
    app.on_frame = on_frame


async def ping(app: Any) -> None:
    """Ask the chip for a sign of life. Raises TimeoutError."""
    try:
        await app._ezsp.nop()
    except EzspError as error:
        raise TimeoutError(str(error)) from error


async def add_key(app: Any, ieee: EUI64, key: KeyData) -> None:
    """Let a device join by the key of its install code; others still join without."""
    await app._ezsp.add_transient_link_key(ieee, key)


def is_request(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task is a request that bellows runs on its own: it has none."""
    del task
    return False
