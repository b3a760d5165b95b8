"""The demo's screen: a Board, drawn with rich."""

import statistics
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hil.scenarios.board import FAILED, MISSED, Board

FRAME_ROWS, FRAME_COLUMNS, FOOT_ROWS = 2, 4, 7
_GAP = "   "
_COLOURS = (
    (FAILED, "bold red"), (MISSED, "bold red"),
    ("FALL", "bold red"), ("SOS", "bold red"), ("ALARM", "bold red"), ("smoke", "bold red"),
    ("received", "green"), ("closed", "green"), ("up", "green"), ("raised", "red"), ("sent", "yellow"),
    ("lost", "yellow"), ("silent", "yellow"), ("blind", "yellow"), ("cut", "yellow"), ("killed", "magenta"),
)


class Screen:
    """Draws the board at whatever size the terminal has."""

    def __init__(self, board: Board, keys: Sequence[str] = ()) -> None:
        self._board, self._keys = board, keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        layout = Layout()
        head = Text(f"Anju 安居{_GAP}{self._board.title}", style="bold", no_wrap=True, overflow="ellipsis")
        keys = rows(self._keys, options.max_width - FRAME_COLUMNS)
        for row in keys:
            head.append(f"\n{row}", style="not bold cyan")
        head_rows = 1 + len(keys) + FRAME_ROWS
        inside = (options.max_width // 3 - FRAME_COLUMNS,
                  max((options.height or console.height) - head_rows - FOOT_ROWS - FRAME_ROWS, 1))
        layout.split_column(Layout(Panel(head, border_style="dim"), size=head_rows), Layout(name="columns"),
                            Layout(self._foot(), size=FOOT_ROWS))
        layout["columns"].split_row(
            Layout(_column(console, "The home", self._board.home, inside, "cyan")),
            Layout(_column(console, "The gateway decides", self._board.gateway, inside, "blue")),
            Layout(_column(console, "The city has", self._board.city, inside, "green")))
        yield layout

    def _foot(self) -> Layout:
        foot = Layout()
        times = Table(expand=True, box=None, pad_edge=False)
        for heading in ("press to city's commit", "n", "p50 ms", "worst ms"):
            times.add_column(heading, justify="left" if heading.startswith("press") else "right")
        for name, values in self._board.latencies_ms.items():
            times.add_row(name, str(len(values)), f"{statistics.median(values):.1f}", f"{max(values):.1f}")
        facts = Table(expand=True, box=None, pad_edge=False, show_header=False)
        for name, value in self._board.facts.items():
            facts.add_row(Text(name, style="dim"), value)
        foot.split_row(Layout(Panel(times, border_style="dim")), Layout(Panel(facts, border_style="dim")))
        return foot


def rows(words: Iterable[str], width: int) -> list[str]:
    """Put words side by side, in as many rows of `width` as they need; no word is broken."""
    found: list[str] = []
    for word in words:
        if found and len(found[-1]) + len(_GAP) + len(word) <= width:
            found[-1] += _GAP + word
        else:
            found.append(word)
    return found


def _column(console: Console, title: str, lines: Iterable[str], inside: tuple[int, int], colour: str) -> Panel:
    """The newest lines that fit `inside` (columns, rows): a failure whole, everything else in one row."""
    width, height = inside
    shown: list[Text] = []
    for line in list(lines)[-height:]:
        text = Text(line, style=next((style for word, style in _COLOURS if word in line), ""))
        shown += text.wrap(console, width)[:height] if FAILED in line or MISSED in line else [text]
    return Panel(Text("\n", no_wrap=True, overflow="ellipsis").join(shown[-height:]), title=title, border_style=colour)
