"""host: a driver host as a process. It imports only what it runs: with the daemon's detectors it weighs 16 MB more."""

import asyncio
import logging
import random
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path

from gateway.app.configured import configured
from gateway.config import ConfigError
from gateway.ops.notify import notify
from gateway.runtime.clock import Clock
from gateway.runtime.fleet import socket_of
from gateway.runtime.host import Host
from gateway.runtime.registry import Registry

log = logging.getLogger(__name__)

EX_CONFIG = 78  # sysexits.h: systemd shows it as CONFIG


async def host(config_path: Path, bus: str) -> int:
    """Run a driver host until SIGTERM, or until no daemon has been there for a while; return its exit code."""
    registry = Registry()
    try:
        config, _, _ = configured(config_path, ({}, {}))  # its folder is all: the daemon sends bus and devices
    except ConfigError as error:
        log.critical("no usable configuration:\n%s", error)
        return EX_CONFIG
    if bus not in registry.buses:
        log.critical("no bus %r is installed: known are %s", bus, ", ".join(registry.buses))
        return EX_CONFIG
    notify("READY=1")
    socket = socket_of(config.gateway.run_dir, bus)
    await until_signal(Host(bus, socket, registry, Clock.of_this_boot(), random.random,
                            lambda: notify("WATCHDOG=1")).run)
    return 0


async def until_signal(run: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run until it ends or a signal to stop comes."""
    task = asyncio.ensure_future(run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("stopped by a signal")
