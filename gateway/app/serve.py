"""serve: the daemon as a process."""

import asyncio
import fcntl
import logging
import os
from pathlib import Path
from typing import TextIO

from gateway.app.configured import configured, types
from gateway.app.daemon import Daemon
from gateway.app.desk import Desk
from gateway.app.host import EX_CONFIG, until_signal
from gateway.app.settings import keep, limits, make_folders
from gateway.config import ConfigError
from gateway.ops.notify import notify
from gateway.runtime.registry import Registry
from gateway.store import Store, StoreNewer
from gateway.voice import Voice

log = logging.getLogger(__name__)

EX_TEMPFAIL = 75  # sysexits.h


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
        config, text, problems = configured(config_path, types(registry))
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
        await until_signal(lambda: daemon.run(Desk(daemon).verbs()))
    finally:
        notify("STOPPING=1")
        await voice.close()
        await store.close()
        if lock is not None:
            lock.close()
    return 0
