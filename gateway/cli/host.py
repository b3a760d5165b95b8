"""`anju host BUS`: a bus in a process of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, ConfigFile


def command(host: Callable[[Path, str], int]) -> Callable[..., None]:
    """The verb, which starts the driver host by `host`."""

    def verb(
        bus: Annotated[str, typer.Argument(help="Which bus: zigbee, ...")], config: ConfigFile = DEFAULT_CONFIG
    ) -> None:
        """Run one bus for the gateway, in a process of its own (the gateway or systemd does this)."""
        raise typer.Exit(host(config, bus))

    return verb
