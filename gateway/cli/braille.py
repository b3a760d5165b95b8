"""Braille: a panel for a terminal of any width, as text. Pure.

A character is 2 dots wide and 4 high (Unicode 15, chart 2800, Braille Patterns): 80 columns show 142 moments.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from gateway.cli.curves import TICKS_S, TIME, Panel, share

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of one character, row by row
_BLANK = 0x2800
_GUTTER = 9


def drawn(panel: Panel, width: int, rows: int) -> list[str]:
    """The panel in so many columns: a title, `rows` rows of curve with the scale at their left; no axis of time."""
    columns = width - _GUTTER
    cells = [[0] * columns for _ in range(rows)]
    for run in panel.runs:
        dots = [(round(share(t, TIME) * (2 * columns - 1)), round((1 - share(v, panel.limits)) * (4 * rows - 1)))
                for t, v in run]
        for x, y in _line(dots):
            if 0 <= x < 2 * columns and 0 <= y < 4 * rows:
                cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    low, high = panel.limits
    scale = {0: high, rows // 2: (low + high) / 2, rows - 1: low}
    lines = [f"{'':{_GUTTER}}{panel.title}, {panel.unit}"]
    impact = _place(0.0, columns)
    for row, line in enumerate(cells):
        label = f"{scale[row]:g}" if row in scale else ""
        text = "".join(chr(_BLANK + dots) if dots else _ground(panel, place, impact, columns)
                       for place, dots in enumerate(line))
        lines.append(f"{label:>{_GUTTER - 2}} {'┤' if label else '│'}{text}".rstrip())
    return lines


def time_axis(width: int) -> list[str]:
    """The axis of time below the panels, with the impact marked."""
    columns = width - _GUTTER
    line, words = ["─"] * columns, [" "] * columns
    for tick_s in TICKS_S:
        place = _place(tick_s, columns)
        line[place] = "┼" if tick_s == 0 else "┬"
        word = "impact" if tick_s == 0 else f"{tick_s:+d} s"
        begin = min(max(0, place - len(word) // 2), columns - len(word))
        words[begin : begin + len(word)] = word
    return [" " * (_GUTTER - 1) + "└" + "".join(line), " " * _GUTTER + "".join(words).rstrip()]


def _place(t_s: float, columns: int) -> int:
    return round(share(t_s, TIME) * (2 * columns - 1)) // 2


def _ground(panel: Panel, place: int, impact: int, columns: int) -> str:
    """What shows where the curve is not: the moment of the impact, a hole, or nothing."""
    if place == impact:
        return "┊"
    left_s, right_s = (TIME[0] + (TIME[1] - TIME[0]) * edge / columns for edge in (place, place + 1))
    return "░" if any(begin_s <= left_s and right_s <= end_s for begin_s, end_s in panel.holes) else " "


def _line(dots: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Every dot on the way from one to the next."""
    yield from dots[:1]
    for (x0, y0), (x1, y1) in pairwise(dots):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(1, steps + 1):
            yield round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps)
