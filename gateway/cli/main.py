"""The command `anju`, put together. What it starts and what drivers exist is handed in: this floor knows neither."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from gateway import __version__
from gateway.cli import CONFIG_VARIABLE, DEFAULT_CONFIG_FILE

if TYPE_CHECKING:
    import typer

Run = Callable[[Path], int]
Host = Callable[[Path, str], int]
Catalogue = Callable[[], tuple[Mapping[str, tuple[str, type[msgspec.Struct]]], Mapping[str, type[msgspec.Struct]]]]
"""Driver name -> (its bus, its settings), and bus name -> its settings; asked only by a verb that needs them."""


def build(*, run: Run, host: Host, catalogue: Catalogue) -> Callable[[], None]:
    """The command. `run` and `host` return an exit code.

    A daemon lives for months in little memory: in its plainest form, which is the one that systemd and the gateway use,
    it is started without loading what draws tables for people.
    """

    def anju() -> None:
        match daemon(sys.argv[1:], os.environ):
            case (config, None):
                sys.exit(run(config))
            case (config, bus):
                sys.exit(host(config, bus))
        commands(run=run, host=host, catalogue=catalogue)()

    return anju


def daemon(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[Path, str | None] | None:
    """Read `run` and `host BUS`, both with or without `--config FILE` after them: (FILE, BUS or None), else None."""
    config = environment.get(CONFIG_VARIABLE) or DEFAULT_CONFIG_FILE
    match list(arguments):
        case [*verb, "--config", file] if not file.startswith("-"):
            config = file
        case verb:
            pass
    match verb:
        case ["run"]:
            return Path(config), None
        case ["host", bus] if not bus.startswith("-"):
            return Path(config), bus
        case _:
            return None


def commands(*, run: Run, host: Host, catalogue: Catalogue) -> "typer.Typer":
    """Every verb."""
    import typer

    from gateway.cli import away, ble, config, devices, falls, outbox, replay, routine, status, tail, test
    from gateway.cli import host as host_verb
    from gateway.cli import run as run_verb
    from gateway.cli.homes.replay import home

    app = typer.Typer(name="anju", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

    def version(wanted: bool) -> None:
        if wanted:
            print(f"anju {__version__}")
            raise typer.Exit

    @app.callback()
    def about(
        version: Annotated[
            bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version and end.")] = False,
    ) -> None:
        """The gateway of an in-home care kit: run it, look at it, add devices to it, test it."""

    app.command("status")(status.status)
    app.add_typer(away.away, name="away")
    app.add_typer(devices.commands(catalogue), name="devices")
    app.add_typer(ble.ble, name="ble")
    app.add_typer(test.test, name="test")
    app.command("tail")(tail.tail)
    app.command("outbox")(outbox.outbox)
    app.add_typer(falls.falls, name="falls")
    app.add_typer(routine.routine, name="routine")
    app.add_typer(config.commands(catalogue), name="config")
    replay.replay.command("home")(home)
    app.add_typer(replay.replay, name="replay")
    app.command("run")(run_verb.command(run))
    app.command("host")(host_verb.command(host))
    return app
