"""`anju config check`: every mistake in the configuration, with its cure."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

if TYPE_CHECKING:
    from gateway.cli.main import Catalogue


def commands(catalogue: "Catalogue") -> typer.Typer:
    """The verb `config`. `catalogue`: what the installed drivers and buses let a configuration say."""
    app = typer.Typer(no_args_is_help=True, help="Look at the configuration.")

    @app.callback()
    def config() -> None:
        """Look at the configuration."""

    @app.command()
    def check(
        file: Annotated[
            Path | None, typer.Argument(metavar="[FILE]", readable=False, help="Default: --config.")] = None,
        config: ConfigFile = DEFAULT_CONFIG,
        as_json: AsJson = False,
    ) -> None:
        """List every mistake in a configuration file, with its cure; exit code 1 if there is any."""
        from gateway.cli import screen
        from gateway.config import ConfigError, load

        path = file or config
        try:
            found = load(path, *catalogue())
        except ConfigError as error:
            count = f"{len(error.problems)} problem{'s' * (len(error.problems) != 1)}"
            if as_json:
                screen.print_json({"ok": False, "file": str(path), "problems": error.problems, "error": count,
                                   "cure": "do what stands last in each problem"})
                raise typer.Exit(1) from None
            screen.fail(str(error), count, 1)
        if as_json:
            screen.print_json({"ok": True, "file": str(path), "problems": [], "devices": sorted(found.devices),
                               "buses": sorted(found.buses)})
            return
        screen.console().print(f"ok  {path}: devices: {', '.join(sorted(found.devices)) or 'none'}", style="green")

    return app
