"""`anju falls`: the evidence of falls that is kept; `anju falls show ID` draws one."""

from base64 import b64decode
from datetime import datetime
from struct import iter_unpack
from typing import Annotated, Any

import typer

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, Svg, config_of

ROWS, HEART_ROWS = 14, 5

falls = typer.Typer(help="Show the evidence of falls: acceleration and heart rate around each.")


@falls.callback(invoke_without_command=True)
def listed(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show which falls' evidence is kept, newest first."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    from rich.text import Text

    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        found = list(client.stream("falls", 10.0))
    if as_json:
        screen.print_json(found)
        return
    out = screen.console()
    if not found:
        out.print("no fall is kept yet")
        return
    for fall in found:  # not a table: an id must stay whole to be typed again, and it takes half a line
        out.print(Text.assemble((fall["id"], "bold"), f"  {when(fall)}  {fall['device']}"), soft_wrap=True)
        alarm = screen.state(fall["alarm_state"] or "unknown")
        out.print(Text.assemble(f"    {fall['peak_g']:.1f} g  alarm ", alarm, f"  {kept(fall)}"), soft_wrap=True)
        out.print(f"    {fall['words']}", style="dim", soft_wrap=True)


@falls.command()
def show(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Which one: `anju falls` lists them.")],
    svg: Svg = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Draw the acceleration and the heart rate from 10 s before the impact to 20 s after it."""
    from gateway.cli import braille, curves, screen
    from gateway.cli import svg as drawing

    with screen.gateway(config_of(context, config), as_json) as client:
        fall, *chunks = client.stream("falls", 10.0, id=id_)
    pieces = cut(fall["pieces"], b"".join(b64decode(chunk["samples"]) for chunk in chunks))
    heart = [(beat["at_s"], beat["per_min"]) for beat in fall["heart"] if beat["plausible"]]
    panels = curves.panels(pieces, heart, fall["holes"])
    about = [f"fall {fall['id']}, {fall['device']}, {when(fall)}, {fall['peak_g']:.1f} g: {kept(fall)}", fall["words"]]
    if svg is not None:
        screen.write_svg(svg, drawing.drawn(about, panels), as_json=as_json)
    if as_json:
        screen.print_json(fall | {"pieces": [piece | {"samples_mg": samples} for piece, (_, _, samples)
                                             in zip(fall["pieces"], pieces, strict=True)]}, lines=True)
        return
    out = screen.console()
    width = screen.drawing_width(out)
    out.print(*about, sep="\n", soft_wrap=True)
    if pieces:
        drawn = [*braille.drawn(panels[0], width, ROWS), *braille.drawn(panels[1], width, HEART_ROWS)]
        out.print("", *drawn, *braille.time_axis(width), sep="\n", soft_wrap=True)


def when(fall: dict[str, Any]) -> str:
    """The date and time of day as the technician's watch shows it, as far as it is known."""
    if fall["wall_s"] is None:
        return "unknown"
    date = datetime.fromtimestamp(fall["wall_s"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return date if fall["clock"] == "synced" else f"{date} ({fall['clock']})"


def kept(fall: dict[str, Any]) -> str:
    """What there is of it."""
    if fall["awaited"]:
        return "not complete yet"
    if fall["missing"]:
        return f"missing: {fall['missing']}"
    lost_s = sum(end_s - begin_s for begin_s, end_s in fall["holes"])
    return f"{fall['n']} samples" + (f", {lost_s:.1f} s without" if lost_s else "")


def cut(pieces: list[dict[str, Any]], samples_mg: bytes) -> list[tuple[float, float, list[tuple[int, int, int]]]]:
    """Each piece as (first_s, rate_hz, its samples)."""
    samples = list(iter_unpack("<3h", samples_mg))
    found = []
    for piece in pieces:
        found.append((piece["first_s"], piece["rate_hz"], samples[: piece["n"]]))
        samples = samples[piece["n"] :]
    return found
