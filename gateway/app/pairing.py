"""Pairing, as a technician asks for it over the control socket: steps one way, answers the other."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from gateway.app.daemon import Daemon
from gateway.config import Config
from gateway.ops.control import Refused
from gateway.spi import Advertiser, SpiError

WINDOW_S = 120.0
_ADDRESS = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")


async def pair(daemon: Daemon, request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    """Tell each step of a pairing; the window closes when nobody listens any more."""
    address = address_of(daemon.fleet.config, str(request["device"]))
    try:
        bus = daemon.fleet.pairing(str(request["bus"]))
        async with aclosing(bus.pair(address, float(request.get("seconds", WINDOW_S)))) as steps:
            async for step in steps:
                yield step
    except SpiError as error:
        raise Refused(error.reason, error.cure) from error


async def answer(daemon: Daemon, request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    """Hand over the technician's answer."""
    try:
        daemon.fleet.pairing(str(request["bus"])).answer_pairing(str(request["answer"]))
    except SpiError as error:
        raise Refused(error.reason, error.cure) from error
    yield {}


def address_of(config: Config, device: str) -> str:
    """The address of a configured device, or the one that was given. Raises Refused."""
    if device in config.devices:
        settings = config.devices[device].settings
        if isinstance(settings, Advertiser):
            raise Refused(f"{device} is only heard, never connected to", "none needed: it works without pairing")
        device = getattr(settings, "address", device)
    if not _ADDRESS.fullmatch(device):
        raise Refused(f"{device!r} is neither a configured Bluetooth device nor an address",
                      "see `anju devices` for the names, `anju ble scan` for the addresses")
    return device
