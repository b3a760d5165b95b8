"""`anju run`: the daemon."""

from collections.abc import Callable
from pathlib import Path

import typer

from gateway.cli.options import DEFAULT_CONFIG, ConfigFile


def command(run: Callable[[Path], int]) -> Callable[..., None]:
    """The verb, which starts the daemon by `run`."""

    def verb(config: ConfigFile = DEFAULT_CONFIG) -> None:
        """Run the gateway until SIGTERM (systemd does this)."""
        raise typer.Exit(run(config))

    return verb
