"""serve: the daemon as a process. host: a driver host as a process."""

import asyncio
import fcntl
import logging
import os
import random
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TextIO

from gateway.app.daemon import Daemon
from gateway.app.desk import Desk
from gateway.app.settings import configured, keep, limits, make_folders
from gateway.config import ConfigError
from gateway.ops.notify import notify
from gateway.runtime.clock import Clock
from gateway.runtime.fleet import socket_of
from gateway.runtime.host import Host
from gateway.runtime.registry import Registry
from gateway.store import Store, StoreNewer
from gateway.voice import Voice

log = logging.getLogger(__name__)

EX_TEMPFAIL, EX_CONFIG = 75, 78  # sysexits.h: systemd shows the latter as CONFIG


class AlreadyRunning(Exception):
    """Another daemon has this state folder."""


def only_one(state_dir: Path) -> TextIO | None:
    """Lock the state folder for this process's life. Raises AlreadyRunning; None where the disk has no place for it."""
    try:
        lock = (state_dir / "anju.lock").open("a+", encoding="ascii")
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        pid = lock.read().strip() or "unknown"
        lock.close()
        raise AlreadyRunning(f"this gateway runs already, pid {pid}: stop it first (systemctl stop anju)") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


async def serve(config_path: Path) -> int:
    """Run the daemon until SIGTERM or SIGINT; return its exit code."""
    registry = Registry()
    try:
        config, text, problems = configured(config_path, registry)
    except ConfigError as error:
        log.critical("no usable configuration:\n%s", error)
        return EX_CONFIG
    problems += make_folders(config)
    try:
        lock = only_one(config.gateway.state_dir)
    except AlreadyRunning as error:
        log.critical("%s", error)
        return EX_TEMPFAIL
    try:
        store = await Store.open(config.gateway.state_dir, limits(config))
    except StoreNewer as error:
        log.critical("%s", error)
        return EX_CONFIG
    voice = Voice.open(config.voice.output, config.voice.language)
    try:
        if not problems:
            problems += await asyncio.to_thread(keep, text, config)
        daemon = Daemon(config, problems, registry, store, voice)
        await _until_signal(lambda: daemon.run(Desk(daemon).verbs()))
    finally:
        notify("STOPPING=1")
        await voice.close()
        await store.close()
        if lock is not None:
            lock.close()
    return 0


async def host(config_path: Path, bus: str) -> int:
    """Run a driver host until SIGTERM, or until no daemon has been there for a while; return its exit code."""
    registry = Registry()
    try:
        config, _, _ = configured(config_path, registry)
    except ConfigError as error:
        log.critical("no usable configuration:\n%s", error)
        return EX_CONFIG
    if bus not in registry.buses:
        log.critical("no bus %r is installed: known are %s", bus, ", ".join(registry.buses))
        return EX_CONFIG
    notify("READY=1")
    socket = socket_of(config.gateway.run_dir, bus)
    await _until_signal(Host(bus, socket, registry, Clock.of_this_boot(), random.random,
                             lambda: notify("WATCHDOG=1")).run)
    return 0


async def _until_signal(run: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run until it ends or a signal to stop comes."""
    task = asyncio.ensure_future(run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("stopped by a signal")
