"""`anju routine`: what is learned of the resident's days; `anju routine notice`: how soon anyone would notice."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, Svg, config_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.detect.noticing import Hour

routine = typer.Typer(help="Show what is learned of the resident's days, and how soon anyone would notice a collapse.")


@routine.callback(invoke_without_command=True)
def learned(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show what is learned: the days seen, cover, absence, and the longest silence that is borne."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        told = client.ask("routine")
    if as_json:
        screen.print_json(told)
        return
    out = screen.console()
    for name, words in _words(told):
        out.print(f"{name:<16}{words}", soft_wrap=True)


@routine.command()
def notice(
    context: typer.Context,
    replay: Annotated[Path | None, typer.Option(
        metavar="EVENTS.csv.gz", help="Of a recording, instead of the home that the gateway watches.")] = None,
    svg: Svg = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show, by hour of the day, the time until an alert if the resident collapsed: middling and worst of 28 days."""
    import msgspec

    from gateway.cli import screen, waits
    from gateway.detect.noticing import DAYS, Hour

    if replay is not None:
        hours = _replayed(replay, as_json)
    else:
        with screen.gateway(config_of(context, config), as_json) as client:
            hours = msgspec.convert(client.ask("routine")["notice"], list[Hour])
    if svg is not None:
        screen.write_svg(svg, waits.drawn(hours), as_json=as_json)
    if as_json:
        screen.print_json({"days": DAYS, "hours": msgspec.to_builtins(hours)})
        return
    out = screen.console()
    out.print(*waits.lines(hours, screen.drawing_width(out)), sep="\n", soft_wrap=True)


def _words(told: dict[str, Any]) -> "Iterator[tuple[str, str]]":
    from gateway.cli import screen

    cover, alert_in_s = told["cover"], told["alert_in_s"]
    yield "learned from", f"{told['days']:.0f} days"
    yield "cover", "reduced: " + "; ".join(cover["reasons"]) if cover["reduced"] else "full"
    yield "away", f"declared until {told['away_until']}" if told["away_until"] else "not declared"
    yield "false alerts", f"one in {told['budget_days']:g} days is borne"
    yield "last sign", "none yet" if told["quiet_s"] is None else f"{screen.age(told['quiet_s'])} ago"
    yield "alert", "none to come" if alert_in_s is None else f"in {screen.age(alert_in_s)}, if nothing more happens"


def _replayed(events: Path, as_json: bool) -> "Sequence[Hour]":
    from gateway.cli import screen
    from gateway.cli.homes.recording import BadRecording, read
    from gateway.cli.homes.replay import replayed
    from gateway.detect import watch
    from gateway.detect.noticing import by_hour

    try:
        recording = read(events)
    except BadRecording as error:
        screen.fail(error.reason, error.cure, 1, as_json=as_json)
    return by_hour(replayed(recording, watch.Settings()).known.waits)
