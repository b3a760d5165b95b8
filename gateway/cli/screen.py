"""What all verbs show alike: colours of states, ages, tables, and how a failure is told. Imported when a verb runs."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.client import Client, ClientError, control_socket
from gateway.config import ConfigError

COLOURS = {
    "ok": "green", "up": "green", "asleep": "green", "online": "green", "received": "green", "closed": "green",
    "synced": "green", "cancelled": "green", "watched": "green",
    "degraded": "yellow", "searching": "yellow", "starting": "yellow", "silent": "yellow", "sent": "yellow",
    "restored": "yellow", "reduced": "yellow", "unset": "yellow", "connecting": "yellow",
    "event": "cyan", "device": "blue", "sync": "magenta",
    "lost": "red", "rejected": "red", "blind": "red", "raised": "red", "finding": "red", "alarm": "bold red",
    "not watched": "red", "fault": "red", "unreachable": "red", "offline": "red",
}
"""Colour of a state or of what happened; a word not in here is left as it is."""
PIPE_COLUMNS = 80


def console() -> Console:
    """Where results go. A pipe has no width of its own: lines are then not broken at 80."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)


def drawing_width(out: Console) -> int:
    """How many columns a drawing may take: all of a terminal's; in a pipe, those of a page."""
    return out.width if out.is_terminal else PIPE_COLUMNS


def state(word: str) -> Text:
    return Text(word, style=COLOURS.get(word, ""))


def plain_table(*headings: str) -> Table:
    """An empty table that stays readable in a log and over a slow line."""
    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def age(seconds: float | None) -> str:
    """Words for a time span: "0.4 s", "12 s", "3 min", "5 h", "2 d"; "never" for None."""
    if seconds is None:
        return "never"
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def facts(said: Mapping[str, Any], but: Collection[str] = ()) -> str:
    """Words for a part's own facts: what is neither nested nor empty, but for the keys in `but`."""
    words = []
    for key, value in said.items():
        if key in but or value in ("", None) or not isinstance(value, int | float | str):
            continue
        words.append(f"{key} {value}" if not isinstance(value, bool) else key if value else f"not {key}")
    return ", ".join(words)


def print_json(value: Any, *, lines: bool = False) -> None:
    """Print a value for programs; `lines`: on one line, for streams."""
    print(json.dumps(value, ensure_ascii=False, indent=None if lines else 2), flush=True)


def fail(reason: str, cure: str, code: int, *, as_json: bool = False) -> NoReturn:
    """Say on stderr what went wrong and what to do, or print it as JSON; end with this exit code."""
    if as_json:
        print_json({"error": reason, "cure": cure}, lines=True)
        raise typer.Exit(code)
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    screen.print(reason, style="bold red")
    if cure:
        screen.print(f"  {cure}")
    raise typer.Exit(code)


def write_svg(path: Path, drawing: str, *, as_json: bool) -> None:
    """Write a drawing to the file that --svg names; where that cannot be, the command ends."""
    try:
        path.write_text(drawing, encoding="utf-8")
    except OSError as error:
        fail(f"{path} cannot be written ({error.strerror})", "give --svg a file in a folder of yours", 1,
             as_json=as_json)


@contextmanager
def gateway(config: Path, as_json: bool) -> Iterator[Client]:
    """A client of the gateway that runs with this configuration; whatever it cannot do ends the command."""
    try:
        yield Client(control_socket(config))
    except ConfigError as error:
        reason, _, cure = str(error).rpartition(": ")
        fail(reason, cure, 2, as_json=as_json)
    except ClientError as error:
        fail(error.reason, error.cure, error.code, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
