"""`anju ble`: who is in the air and how to add it (`scan`), where to place the gateway (`survey`); and `pair`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.ble_pair import pair
from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

if TYPE_CHECKING:
    from rich.table import Table

    from gateway.cli.client import Client
    from gateway.cli.reception import Heard

ble = typer.Typer(help="Look around by Bluetooth, and pair.", no_args_is_help=True)
ble.command()(pair)

STEP_S = 1.0
PATIENCE_S = 20.0  # beyond a step: the bus may be starting anew
GONE_S = 30.0  # not heard for so long: dimmed
Air = dict[str, dict[str, Any]]
"""Address -> the device as last heard, with `mono_s` of it and `configured`, its name in the configuration or None."""


@ble.command()
def scan(
    config: ConfigFile = DEFAULT_CONFIG,
    seconds: Annotated[float | None, typer.Option(
        min=1.0, help="How long to listen (default: until Ctrl-C on a terminal, else 15).")] = None,
    as_json: AsJson = False,
) -> None:
    """Show who is heard by Bluetooth, what it is, and how to add it. A device that is connected does not advertise."""
    from rich.live import Live

    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        out = screen.console()
        live = out.is_terminal and not as_json
        air: Air = {}
        listening = steps(client, config, air, seconds or (None if live else 15.0))
        if live:
            with Live(table(air), console=out, auto_refresh=False) as shown:
                for _ in listening:
                    shown.update(table(air), refresh=True)
            return
        for _ in listening:
            pass
        if as_json:
            screen.print_json([{key: value for key, value in device.items() if key != "mono_s"}
                               for device in ranked(air)])
        else:
            out.print(table(air))


@ble.command()
def survey(
    config: ConfigFile = DEFAULT_CONFIG,
    seconds: Annotated[float, typer.Option(min=10.0, help="How long to listen in each room.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Find the best place for the gateway: carry it through the rooms, the devices staying where they are used.

    It needs a power bank meanwhile. Only devices of a known kind count; one that is connected is not heard.
    """
    from gateway.cli import reception, screen

    rooms: dict[str, dict[str, list[int]]] = {}
    with screen.gateway(config, as_json) as client:
        out = screen.console()
        while room := typer.prompt("Room where the gateway is now (Enter: done)", default="", show_default=False,
                                   err=True).strip():
            heard = rooms.setdefault(room, {})
            typer.echo(f"listening in {room} for {seconds:g} s ...", err=True)
            for step in steps(client, config, {}, seconds):
                for device in step:
                    if device["rssi_dbm"] is not None and (device["configured"] or kind(device) != "unknown"):
                        heard.setdefault(label(device), []).append(device["rssi_dbm"])
            if not as_json:
                out.print(signals({room: heard}))
    if as_json:
        screen.print_json({"rooms": {room: {name: told(samples) for name, samples in heard.items()}
                                     for room, heard in rooms.items()},
                           "best": reception.best(rooms), "verdict": reception.verdict(rooms)})
        return
    out.print("")
    out.print(signals(rooms))
    out.print(f"\n{reception.verdict(rooms)}", style="bold")


def steps(client: "Client", config: Path, air: Air, seconds: float | None) -> Iterator[list[dict[str, Any]]]:
    """Listen a step at a time, for ever if `seconds` is None; note in `air` and yield who was heard in each."""
    from gateway.cli import addition
    from gateway.config import ConfigError, read

    try:
        text = read(config)
    except ConfigError:
        text = ""  # who may not read it is not told what is configured
    ends_mono_s = None if seconds is None else monotonic() + seconds
    while ends_mono_s is None or monotonic() < ends_mono_s:
        heard = client.ask("discover", STEP_S + PATIENCE_S, bus="ble", seconds=STEP_S)
        for device in heard:
            device["configured"] = addition.configured(text, device["settings"])
            air[device["address"]] = device | {"mono_s": monotonic()}
        yield heard


def ranked(air: Air) -> list[dict[str, Any]]:
    """Everybody: known kinds first, then the strongest."""
    return sorted(air.values(), key=lambda device: (kind(device) == "unknown", -(device["rssi_dbm"] or -127)))


def table(air: Air) -> "Table":
    """Draw who is in the air."""
    from gateway.cli import screen

    drawn = screen.plain_table("name", "address", "signal", "heard", "kind", "how to add it")
    drawn.columns[1].no_wrap = True  # to be copied
    drawn.caption = f"{len(air)} heard; add one with: sudo anju devices add --bus ble --pick ADDRESS"
    drawn.caption_justify = "left"
    now_mono_s = monotonic()
    for device in ranked(air):
        age_s = now_mono_s - device["mono_s"]
        dim = device["configured"] or kind(device) == "unknown" or age_s > GONE_S
        strength = "-" if device["rssi_dbm"] is None else f"{device['rssi_dbm']} dBm"
        drawn.add_row(device["name"] or "-", device["address"], strength, screen.age(age_s), kind(device), how(device),
                      style="dim" if dim else None)
    return drawn


def how(device: Mapping[str, Any]) -> str:
    """What is needed to add a device, besides its address."""
    if device["configured"]:
        return f"is {device['configured']}"
    if device["driver"]:
        return "pick it"
    return "pick it, choose a --driver" if device.get("drivers") else "pick it, know its --driver"


def kind(device: Mapping[str, Any]) -> str:
    """The driver of a found device in words: one, a choice of a few, or unknown."""
    return str(device["driver"] or " or ".join(device.get("drivers", ())) or "unknown")


def label(device: Mapping[str, Any]) -> str:
    """What a survey calls a device."""
    return str(device["configured"] or device["name"] or device["address"])


def told(samples: list[int]) -> dict[str, Any]:
    """One device in one room, for programs."""
    from gateway.cli import reception

    one = reception.signal(samples)
    return {} if one is None else {"median_dbm": one.median_dbm, "p10_dbm": one.p10_dbm, "samples": one.samples,
                                   "word": one.word}


def signals(rooms: "Mapping[str, Heard]") -> "Table":
    """Draw median and 10th percentile of each device, a column a room."""
    from gateway.cli import reception, screen

    drawn = screen.plain_table("device, median / bad moments", *rooms)
    for name in sorted({name for heard in rooms.values() for name in heard}):
        cells = [reception.signal(heard.get(name, ())) for heard in rooms.values()]
        drawn.add_row(name, *("not heard" if one is None else f"{one.median_dbm:.0f} / {one.p10_dbm:.0f} dBm {one.word}"
                              for one in cells))
    return drawn
