"""How soon would anyone notice, by hour of the day: as text that can stand in a report, and as a drawing. Pure."""

import math
import statistics
from collections.abc import Iterator, Sequence

from gateway.cli.svg import COLOURS, GREY, stroke, text
from gateway.detect.noticing import DAYS, Hour

TITLE = "How soon would anyone notice?"
MEANT = f"Had the resident collapsed in this hour, an alert would have come after (the last {DAYS} days):"
_MIDDLE, _WORST = "█", "░"
_HOUR_S, _DAYTIME = 3600.0, range(7, 22)
_GUTTER = 32
_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT, _COLUMN = 960, 420, 64, 96, 64, 36


def lines(hours: Sequence[Hour], width: int) -> list[str]:
    """A line for each hour of the day in so many columns, and what follows from them in a sentence."""
    top_h, columns = _top_h(hours), width - _GUTTER
    scale = "".join(f"{f'{mark} h':<{columns // 4}}" for mark in range(0, top_h, top_h // 4))
    found = [TITLE, MEANT, "", f"{'':<9}{'middling':>9}{'worst':>11}   {scale}".rstrip()]
    for one in hours:
        middle, worst = (round(columns * _share(wait_s, top_h)) for wait_s in (one.median_s, one.worst_s))
        bar = _MIDDLE * middle + _WORST * (worst - middle)
        found.append(f"{span(one.hour):<9}{wait(one.median_s):>9}{wait(one.worst_s):>11}   {bar}")
    return [*found, "", *sentences(hours)]


def sentences(hours: Sequence[Hour]) -> Iterator[str]:
    """The same for who reads no tables."""
    if not hours:
        yield "Nothing is known yet: an hour of the day is shown once it has been lived."
        return
    for words, some in (("By day (07-22 h)", [one for one in hours if one.hour in _DAYTIME]),
                        ("At night", [one for one in hours if one.hour not in _DAYTIME])):
        if some:
            middle = statistics.median_low(one.median_s for one in some)
            worst = max(some, key=lambda one: one.worst_s)
            yield (f"{words}: {wait(middle)} on a middling day, at worst {wait(worst.worst_s)} "
                   f"(between {span(worst.hour)} h).")
    if (days := max(one.days for one in hours)) < DAYS:
        yield f"Only {days} of {DAYS} days are known so far."


def span(hour: int) -> str:
    """An hour of the day in words."""
    return f"{hour:02d}-{(hour + 1) % 24:02d}"


def wait(wait_s: float) -> str:
    """A wait in words."""
    return f"{wait_s / _HOUR_S:.1f} h"


def drawn(hours: Sequence[Hour]) -> str:
    """The same as an SVG file's text."""
    top_h = _top_h(hours)
    height = _TOP + _HEIGHT + _FOOT

    def y(wait_s: float) -> float:
        return _TOP + (1 - _share(wait_s, top_h)) * _HEIGHT

    def column(one: Hour, wait_s: float, opacity: float) -> str:
        return (f'<rect x="{_x(one.hour) + 4:.1f}" y="{y(wait_s):.1f}" width="{_COLUMN - 8}" '
                f'height="{_TOP + _HEIGHT - y(wait_s):.1f}" fill="{COLOURS[0]}" fill-opacity="{opacity}">'
                f"<title>{span(one.hour)} h: {wait(wait_s)}</title></rect>")

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
             f'height="{height}" font-family="sans-serif" font-size="13" fill="{GREY}">']
    parts += [text(_LEFT, 20 + 20 * place, words, "start") for place, words in enumerate((TITLE, MEANT))]
    parts.append(text(_LEFT, 64, "hours; dark: on a middling day, light: on the worst", "start"))
    for mark_h in range(0, top_h + 1, top_h // 4):
        parts += [stroke(_LEFT, y(mark_h * _HOUR_S), _x(24), y(mark_h * _HOUR_S), 0.3),
                  text(_LEFT - 8, y(mark_h * _HOUR_S) + 4, str(mark_h), "end")]
    for one in hours:
        parts += [column(one, one.worst_s, 0.3), column(one, one.median_s, 1.0)]
    parts += [text(_x(hour), _TOP + _HEIGHT + 18, f"{hour}") for hour in range(0, 25, 3)]
    parts.append(text(_x(12), _TOP + _HEIGHT + 40, "hour of the day"))
    return "\n".join([*parts, "</svg>", ""])


def _top_h(hours: Sequence[Hour]) -> int:
    """The end of the scale: a multiple of 4 h that no wait exceeds."""
    return max(4, 4 * math.ceil(max((one.worst_s for one in hours), default=0.0) / 4 / _HOUR_S))


def _share(wait_s: float, top_h: int) -> float:
    return wait_s / _HOUR_S / top_h


def _x(hour: float) -> float:
    return _LEFT + hour * _COLUMN
