"""`anju-bench`: run the emulated home. `demo` is the whole kit with the gateway, live or unattended."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from hil.resources.process import ProcessFailed
from hil.scenarios.board import Board
from hil.scenarios.live import Play
from hil.scenarios.screen import Screen
from hil.scenarios.tour import Tour
from hil.strategies.home import Home, falls_recordings, too_long

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
Story = Callable[[], Awaitable[dict[str, Any]]]
SCENARIOS = ("live", "tour")
LANGUAGES = ("zh", "en")


@app.callback()
def _bench() -> None:
    """The bench of Anju: an emulated home around the real gateway."""


@app.command()
def demo(
    scenario: Annotated[str, typer.Option(help="live: you press the keys; tour: a whole story, unattended")] = "live",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object at the end and nothing else")] = False,
    language: Annotated[str, typer.Option(help="of the voice: zh or en")] = "zh",
    keep: Annotated[Path | None, typer.Option(help="keep logs, databases and voice.wav in this new folder")] = None,
) -> None:
    """Run gateway, home, broker and city as processes of their own."""
    for option, given, known in (("--scenario", scenario, SCENARIOS), ("--language", language, LANGUAGES)):
        if given not in known:
            raise typer.BadParameter(f"{given!r} is none of {', '.join(known)}", param_hint=option)
    if keep is not None and keep.exists():
        raise typer.BadParameter(f"{keep} is there already: name a new folder", param_hint="--keep")
    if trouble := too_long(keep or Path(tempfile.gettempdir(), "anju-8letters")):
        raise typer.BadParameter(trouble, param_hint="--keep" if keep else "$TMPDIR")
    board = Board()
    try:
        with _folder(keep) as folder:
            result = asyncio.run(_demo(Home(Path(folder), falls_recordings(), language), board, scenario, as_json))
    except ProcessFailed as error:
        hint = "" if keep else "\nthe logs went with the run: --keep FOLDER keeps them"
        Console(stderr=True).print(Text("the demo could not start: ", "red"), f"{error}{hint}", sep="", soft_wrap=True,
                                   markup=False)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(result))
    elif result:
        Console().print_json(data=result)
    if failed := result.get("failed"):
        for entry in failed:
            print(f"failed: {entry['limit']} is {entry['is']}, must be {entry['must_be']}", file=sys.stderr)
        raise typer.Exit(1)


def _folder(keep: Path | None) -> Any:
    """A folder for the run: the one to keep, or one that goes with it."""
    if keep is None:
        return tempfile.TemporaryDirectory(prefix="anju-")
    keep.mkdir(parents=True)
    return nullcontext(keep.resolve())


async def _demo(home: Home, board: Board, scenario: str, as_json: bool) -> dict[str, Any]:
    async with home.kit():
        falls = "recorded" if home.falls else "generated"
        board.title = f"{scenario}   Bluetooth: {home.layer.upper()}   falls: {falls}"
        if home.layer == "l1" and not as_json:
            board.did("dbus-daemon is missing: the bracelet comes over Bumble directly instead of BlueZ")
        if scenario == "tour":
            return await _shown(board, as_json, Tour(home, board).run)
        return await _shown(board, as_json, Play(home, board).run, keys=Play.KEYS)


async def _shown(board: Board, quiet: bool, run: Story, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run a story; show its board meanwhile: live on a terminal, line by line elsewhere, not at all when `quiet`."""
    if not quiet and sys.stdout.isatty():
        with Live(Screen(board, keys), screen=True, refresh_per_second=8):
            return await run()
    if not quiet:
        board.listener = lambda column, line: print(f"{column:8} {line}", file=sys.stderr, flush=True)
    return await run()


def main() -> None:
    """Entry point of `anju-bench`."""
    app()
