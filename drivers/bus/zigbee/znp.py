# SPDX-License-Identifier: GPL-3.0-or-later
"""Sticks of Texas Instruments (Z-Stack 3 over ZNP): what is particular to zigpy-znp. The twin of ezsp.py.

Frames are tapped where zigpy-znp receives them, before zigpy decides what to do with them: none is filtered.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import zigpy_znp.commands as commands  # type: ignore[import-untyped]
from zigpy.types import EUI64, KeyData
from zigpy_znp.types import Status  # type: ignore[import-untyped]
from zigpy_znp.zigbee.application import ControllerApplication as Application  # type: ignore[import-untyped]

__all__ = ["Application", "add_key", "config", "is_request", "ping", "tap"]

ANSWER_S = 3  # zigpy-znp waits 15 s by default: a hang would be found after half a minute
CONFIRM_S = 10  # the chip gives up on a sleeping device after 7.7 s; 30 s by default, in which no request could pass
PTY_MAJORS = range(136, 144)  # Unix98 pty slaves (Linux, Documentation/admin-guide/devices.txt)

OnFrame = Callable[[int, int, int, bytes], None]


def config(port: str) -> dict[str, Any]:
    """Return the part of zigpy's configuration that is this stack's."""
    return {"znp_config": {"sync_request_timeout": ANSWER_S, "async_response_timeout": CONFIRM_S,
                           "skip_bootloader": not is_pty(port)}}


def tap(app: Any, on_frame: OnFrame, on_reset: Callable[[], None]) -> None:
    """Hand over each frame (short address, endpoint, cluster, ZCL frame); and each reset that nobody asked for.

    zigpy-znp does not act on such a reset; its stick is deaf from then on.
    """
    app._znp.callback_for_response(commands.SYS.ResetInd.Callback(partial=True), lambda _: on_reset())
    app._znp.callback_for_response(commands.AF.IncomingMsg.Callback(partial=True), lambda message: on_frame(
        int(message.SrcAddr), int(message.SrcEndpoint), int(message.ClusterId), bytes(message.Data)))


async def ping(app: Any) -> None:
    """Ask the chip for a sign of life. Raises one of enrolment.NotAnswered."""
    await app.watchdog_feed()


async def add_key(app: Any, ieee: EUI64, key: KeyData) -> None:
    """Let a device join by the key of its install code; others still join without."""
    await app._znp.request(commands.AppConfig.BDBAddInstallCode.Req(
        InstallCodeFormat=commands.app_config.InstallCodeFormat.KeyDerivedFromInstallCode, IEEE=ieee,
        InstallCode=key.serialize()), RspStatus=Status.SUCCESS)


def is_request(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task is a request that zigpy-znp runs on its own, shielded from whoever asked."""
    return getattr(task.get_coro(), "__qualname__", "") == "ZNP.request_callback_rsp"


def is_pty(port: str) -> bool:
    """Tell whether a port is a pty, which has no RTS and DTR to reset a stick with."""
    try:
        return os.major(os.stat(port).st_rdev) in PTY_MAJORS
    except OSError:
        return False
