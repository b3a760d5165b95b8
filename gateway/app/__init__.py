"""Floor 6, the composition root: the only package that knows every floor. Daemon, driver host and command line."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.app.configured import BusTypes, DriverTypes


def main() -> None:
    """Entry point of `anju`."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start a thread a core, and nothing here needs them
    from gateway.cli.main import build  # here, so that each process imports what it runs and no more

    build(run=_run, host=_host, catalogue=_catalogue)()


def _run(config_path: Path) -> int:
    from gateway.app.serve import serve
    from gateway.ops import logs

    logs.start()
    return asyncio.run(serve(config_path))


def _catalogue() -> "tuple[DriverTypes, BusTypes]":
    from gateway.app.configured import types
    from gateway.runtime.registry import Registry

    return types(Registry())


def _host(config_path: Path, bus: str) -> int:
    from gateway.app.host import host
    from gateway.ops import logs

    logs.start()
    return asyncio.run(host(config_path, bus))
