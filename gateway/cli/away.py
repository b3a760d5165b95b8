"""`anju away`: tell the gateway that nobody is at home, so that nobody is missed and nothing is learned."""

from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

away = typer.Typer(no_args_is_help=True, help="Say that nobody is at home: on holiday, in hospital.")


@away.callback()
def about() -> None:
    """Say that nobody is at home: on holiday, in hospital."""


@away.command()
def until(
    when: Annotated[str, typer.Argument(metavar="WHEN", help="2026-12-24 or 2026-12-24T18:00, by the flat's clock.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Nobody is at home until then."""
    _say(when, config, as_json)


@away.command()
def end(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Somebody is at home again."""
    _say("", config, as_json)


def _say(when: str, config: ConfigFile, as_json: bool) -> None:
    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        told = client.ask("away", until=when)
    if as_json:
        screen.print_json(told)
    else:
        date = told["away_until"]
        screen.console().print("somebody is at home" if date is None else f"nobody is at home until {date}")
