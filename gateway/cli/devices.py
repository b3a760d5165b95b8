"""`anju devices`: what is configured; `anju devices add`: find new devices and write them into the configuration."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.cli.ble import kind
from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, config_of

if TYPE_CHECKING:
    from gateway.cli.client import Client
    from gateway.cli.main import Catalogue

PATIENCE_S = 20.0  # a bus may need a moment before and after it looks around
RELOAD_S = 60.0


def commands(catalogue: "Catalogue") -> typer.Typer:
    """The verb `devices`. `catalogue`: what the installed drivers and buses let a configuration say."""
    app = typer.Typer(help="Show the devices, or add new ones.")

    @app.callback(invoke_without_command=True)
    def devices(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
        """Show the devices, or add new ones."""
        context.obj = config
        if context.invoked_subcommand is None:
            listed(config, as_json)

    @app.command()
    def add(
        context: typer.Context,
        config: ConfigFile = DEFAULT_CONFIG,
        bus: Annotated[str | None, typer.Option(help="Look on this bus only: ble, zigbee or modbus.")] = None,
        seconds: Annotated[float, typer.Option(min=1.0, help="How long to look on each bus.")] = 15.0,
        pick: Annotated[str | None, typer.Option(help="Which one: its number, name or address.")] = None,
        name: Annotated[str | None, typer.Option(help="Its name: lower case, digits, - and _.")] = None,
        driver: Annotated[str | None, typer.Option(help="Driver, where the bus cannot tell it.")] = None,
        room: Annotated[str | None, typer.Option(help="Where it is.")] = None,
        more: Annotated[list[str] | None, typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting as in the file; may be repeated.")] = None,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Look for new devices, show them, and add the one you choose to the configuration.

        Put the device into its pairing mode first; the Zigbee network is open while the search lasts.
        """
        Adding(config_of(context, config), catalogue, ask=not yes and not as_json, as_json=as_json,
               more=more or []).run(bus, seconds, pick, name, driver, room, yes)

    return app


def listed(config: Path, as_json: bool) -> None:
    """Show what is configured."""
    from gateway.cli import screen
    from gateway.cli.devices_table import devices

    with screen.gateway(config, as_json) as client:
        result = client.ask("devices")
        if as_json:
            screen.print_json(result)
        else:
            screen.console().print(devices(result))


class Adding:
    """One `anju devices add`. `ask`: there is somebody to answer questions; `more`: settings as TOML, KEY=VALUE."""

    def __init__(self, path: Path, catalogue: "Catalogue", ask: bool, as_json: bool, more: list[str]) -> None:
        self._path, self._catalogue, self._ask, self._as_json, self._more = path, catalogue, ask, as_json, more

    def run(
        self, bus: str | None, seconds: float, pick: str | None, name: str | None, driver: str | None, room: str | None,
        yes: bool,
    ) -> None:
        from gateway.cli import addition, screen
        from gateway.cli.client import ClientError
        from gateway.config import read

        own = self._own_settings()
        self._check_rights()
        with screen.gateway(self._path, self._as_json) as client:
            before = read(self._path)
            buses = [bus] if bus else sorted(client.ask("status")["buses"])
            found, deaf = self._discover(client, buses, seconds)
            for device in found:
                device["configured"] = addition.configured(before, device["settings"])
            if self._as_json and pick is None:
                screen.print_json({"found": found, "unavailable": deaf})
                return
            if not self._as_json:
                self._show(found, deaf)
            if not found:
                self._nothing(buses, deaf)
            chosen = self._chosen(found, pick)
            driver = driver or chosen["driver"] or self._driver(chosen)
            taken = self._taken(before)
            wish = addition.free_name(chosen.get("name") or driver, taken)
            name = name or (typer.prompt("Name", default=wish) if self._ask else wish)
            if room is None:
                room = typer.prompt("Room", default="", show_default=False) if self._ask else ""
            more = addition.block(name, driver, room, chosen["settings"] | own)
            after = addition.added(before, more)
            if name in taken:
                self._fail(f"there is a device {name!r} already", "give another --name")
            if wrong := addition.mistakes(before, after, name, self._path, *self._catalogue()):
                cure = f"nothing was written; give what is missing with --set KEY=VALUE. It would have been:\n\n{more}"
                self._fail("\n".join(wrong), cure)
            out = screen.console()
            if not self._as_json:
                out.print(more)
            if self._ask and not typer.confirm(f"Add this to {self._path}?", default=True):
                raise typer.Exit(1)
            if not yes and not self._ask:
                self._fail("nothing was written", "confirm with --yes")
            self._write(after)
            try:
                reloaded = client.ask("reload", RELOAD_S)
            except ClientError as error:
                self._fail(f"{name} is written, but the gateway does not use it yet: {error.reason}", error.cure)
        if self._as_json:
            screen.print_json({"added": name, "block": more, "reload": reloaded})
            return
        out.print(f"added {name}: the gateway uses it now, see `anju devices`", style="green")
        if reloaded.get("needs_restart"):
            out.print(f"changes in {', '.join(reloaded['needs_restart'])} wait for a restart", style="yellow")

    def _discover(
        self, client: "Client", buses: list[str], seconds: float
    ) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """Look on these buses; return what was found, the likeliest first, and the buses that could not look."""
        from gateway.cli import screen
        from gateway.cli.client import Refused

        found, deaf = [], []
        for name in buses:
            if not self._as_json:
                screen.console().print(f"looking on {name} for {seconds:g} s ...", style="dim")
            try:
                seen = client.ask("discover", seconds + PATIENCE_S, bus=name, seconds=seconds)
            except Refused as refused:
                deaf.append({"bus": name, "reason": refused.reason, "cure": refused.cure})
                continue
            found += [{"bus": name} | device for device in seen]
        found.sort(key=lambda device: (kind(device) == "unknown", -(device.get("rssi_dbm") or -999)))
        return [{"number": number} | device for number, device in enumerate(found, 1)], deaf

    def _show(self, found: list[dict[str, Any]], deaf: list[dict[str, str]]) -> None:
        from gateway.cli import screen

        out = screen.console()
        for bus in deaf if found else []:
            out.print(f"{bus['bus']}: {bus['reason']}: {bus['cure']}", style="yellow")
        if not found:
            return
        table = screen.plain_table("#", "bus", "name", "driver", "settings", "about")
        known = ("number", "bus", "name", "driver", "settings", "configured", "address")
        for device in found:
            about = screen.facts(device, but=known)
            if device["configured"]:
                about = f"already configured as {device['configured']}"
            driver, style = kind(device), "dim" if device["configured"] else None
            table.add_row(str(device["number"]), device["bus"], device.get("name") or "-", driver,
                          screen.facts(device["settings"]), about, style=style)
        out.print(table)

    def _nothing(self, buses: list[str], deaf: list[dict[str, str]]) -> NoReturn:
        """End where nothing was found: a bus that could not look is to be mended before anything else is tried."""
        if not buses:
            self._fail("the gateway has no bus to look on", "configure one, for example [bus.ble], and try again")
        if len(deaf) == 1:
            self._fail(f"{deaf[0]['bus']}: {deaf[0]['reason']}", deaf[0]["cure"])
        if deaf:
            self._fail("\n".join(f"{bus['bus']}: {bus['reason']}: {bus['cure']}" for bus in deaf), "then try again")
        self._fail("nothing was found", "put the device into its pairing mode, bring it near, and try again")

    def _chosen(self, found: list[dict[str, Any]], pick: str | None) -> dict[str, Any]:
        """The device that --pick means, the only one there is, or the one that the technician names."""
        fresh = [device for device in found if not device["configured"]]
        if pick is None and not self._ask:
            likely = [device for device in fresh if kind(device) != "unknown"] or fresh
            if len(likely) == 1:
                return likely[0]
            self._fail(f"{len(likely)} new devices were found", "name one with --pick")
        if pick is None:
            if not fresh:
                self._fail("nothing new was found", "all that was found is configured already")
            pick = typer.prompt("Which one (number)", default=str(fresh[0]["number"]))
        meant = [device for device in found if pick.lower() in _marks(device)]
        if len(meant) != 1:
            told = "was not found" if not meant else f"means {len(meant)} devices"
            self._fail(f"{pick!r} {told}", "give a number or an address out of the table")
        return meant[0]

    def _driver(self, chosen: dict[str, Any]) -> str:
        """Ask for the driver of a device that the bus does not know, or takes for one of a few."""
        drivers, _ = self._catalogue()
        choices = chosen.get("drivers") or sorted(name for name, (on, _) in drivers.items() if on == chosen["bus"])
        if not self._ask:
            self._fail("the bus cannot tell what this device is", f"give --driver, one of {', '.join(choices)}")
        return str(typer.prompt(f"Driver, one of {', '.join(choices)}"))

    def _check_rights(self) -> None:
        """End at once where the file could not be written in the end."""
        import os

        folder = self._path.parent
        if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            self._fail(f"you may not change {self._path}: `anju devices add` needs root", "use sudo anju devices add")

    def _own_settings(self) -> dict[str, Any]:
        """The settings given with --set."""
        import tomllib


        try:
            return tomllib.loads("\n".join(self._more))
        except tomllib.TOMLDecodeError as error:
            self._fail(f"--set: {error}", "write KEY=VALUE as in the file, for example --set 'poll_s=0.5'")

    def _taken(self, text: str) -> Collection[str]:
        import tomllib


        try:
            return set(tomllib.loads(text).get("devices", {}))
        except tomllib.TOMLDecodeError as error:
            self._fail(f"{self._path}: not valid TOML: {error}", "mend that place first (`anju config check`)")

    def _fail(self, reason: str, cure: str) -> NoReturn:
        from gateway.cli import screen

        screen.fail(reason, cure, 1, as_json=self._as_json)

    def _write(self, text: str) -> None:
        from gateway.cli import addition

        try:
            addition.write(self._path, text)
        except OSError as error:
            self._fail(f"{self._path} cannot be written ({error.strerror})", "use sudo; nothing was changed")


def _marks(device: dict[str, Any]) -> set[str]:
    """What --pick may call a found device, in lower case."""
    marks = [device["number"], device.get("name") or "", *device["settings"].values()]
    return {str(mark).lower() for mark in marks} - {""}
