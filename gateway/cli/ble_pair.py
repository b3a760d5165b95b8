"""`anju ble pair`: let one Bluetooth device in, and answer what it asks."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

if TYPE_CHECKING:
    from gateway.cli.client import Client

PATIENCE_S = 20.0  # between two steps, of which there is one a second
CHECKED = {"passkey": "checked by its passkey", "number": "checked by its number",
           "none": "unchecked: it shows no digits, so somebody near by could have stepped between"}
_DIGITS = re.compile("[0-9]{6}")


def pair(
    device: Annotated[str, typer.Argument(help="Its name in the configuration, or its address (`anju ble scan`).")],
    config: ConfigFile = DEFAULT_CONFIG,
    seconds: Annotated[float, typer.Option(min=1.0, max=600.0, help="How long it may take.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Pair with one device; nobody else gets in meanwhile, and nobody at all at other times.

    Put it into its pairing mode first. A bond that it has already is made anew.
    """
    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        out = screen.console()
        if not as_json:
            out.print(f"waiting for {device} for {seconds:g} s ...", style="dim")
        for step in client.stream("pair", PATIENCE_S, bus="ble", device=device, seconds=seconds):
            if as_json:
                screen.print_json(step, lines=True)
            match step["state"]:
                case "passkey" | "number":
                    _answer(client, asked(step))
                case "pairing" if not as_json:
                    out.print("heard: pairing ...", style="dim")
                case "withdrawn" if not as_json:
                    out.print("the device asks no longer", style="dim")
                case "paired" if not as_json:
                    out.print(f"paired {device}, {CHECKED.get(step['check'], step['check'])}",
                              style="yellow" if step["check"] == "none" else "green")


def asked(step: dict[str, Any]) -> str:
    """What the technician answers: six digits, yes or no."""
    if step["state"] == "number":
        return "yes" if typer.confirm(f"Does the device show {step['number']}", err=True) else "no"
    while True:
        text: str = typer.prompt("Six digits that the device shows (no: none)", err=True).replace(" ", "").lower()
        if text == "no" or _DIGITS.fullmatch(text):
            return text
        typer.echo("six digits, please, or no", err=True)


def _answer(client: "Client", text: str) -> None:
    from gateway.cli.client import Refused

    try:
        client.ask("answer_pairing", bus="ble", answer=text)
    except Refused as refused:
        typer.echo(refused.reason, err=True)  # too late, most likely: the next step says what became of the pairing
