"""The demo's screen: a Board, drawn with rich."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hil.scenarios.board import Board

HEAD_ROWS, FOOT_ROWS = 3, 7
_COLOURS = (
    ("MISSED", "bold red"), ("FALL", "bold red"), ("SOS", "bold red"), ("ALARM", "bold red"), ("smoke", "bold red"),
    ("received", "green"), ("closed", "green"), ("up", "green"), ("raised", "red"), ("sent", "yellow"),
    ("lost", "yellow"), ("silent", "yellow"), ("blind", "yellow"), ("cut", "yellow"), ("killed", "magenta"),
)


class Screen:
    """Draws the board at whatever size the terminal has."""

    def __init__(self, board: Board, keys: str = "") -> None:
        self._board, self._keys = board, keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        layout = Layout()
        height = (options.height or console.height) - HEAD_ROWS - FOOT_ROWS - 2
        layout.split_column(Layout(self._head(), size=HEAD_ROWS), Layout(name="columns"),
                            Layout(self._foot(), size=FOOT_ROWS))
        layout["columns"].split_row(
            Layout(_column("The home", self._board.home, height, "cyan")),
            Layout(_column("The gateway decides", self._board.gateway, height, "blue")),
            Layout(_column("The city has", self._board.city, height, "green")))
        yield layout

    def _head(self) -> Panel:
        return Panel(Text(f"Anju 安居   {self._board.title}", style="bold"), border_style="dim", subtitle=self._keys)

    def _foot(self) -> Layout:
        foot = Layout()
        times = Table(expand=True, box=None, pad_edge=False)
        for heading in ("press to city's commit", "n", "p50 ms", "worst ms"):
            times.add_column(heading, justify="left" if heading.startswith("press") else "right")
        for name, values in self._board.latencies_ms.items():
            times.add_row(name, str(len(values)), f"{self._board.p50_ms(name):.1f}", f"{max(values):.1f}")
        facts = Table(expand=True, box=None, pad_edge=False, show_header=False)
        for name, value in self._board.facts.items():
            facts.add_row(Text(name, style="dim"), value)
        foot.split_row(Layout(Panel(times, border_style="dim")), Layout(Panel(facts, border_style="dim")))
        return foot


def _column(title: str, lines: Iterable[str], height: int, colour: str) -> Panel:
    text = Text(no_wrap=True, overflow="ellipsis")
    for line in list(lines)[-max(height, 1):]:
        style = next((style for word, style in _COLOURS if word in line), "")
        text.append(line + "\n", style=style)
    return Panel(text, title=title, border_style=colour)
