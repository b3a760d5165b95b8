"""SVG: both panels as a drawing in a file, legible on a light and on a dark page. Pure."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from gateway.cli.curves import TICKS_S, TIME, Panel, share

_WIDTH, _LEFT, _RIGHT, _TOP = 960, 64, 24, 80
_HEIGHTS = (280, 120)
_GAP, _FOOT = 44, 48
COLOURS = ("#2f7fc1", "#c8553d")  # these and the grey are legible on white and on black; there is no background
GREY = "#808080"


def drawn(about: Sequence[str], both: tuple[Panel, Panel]) -> str:
    """The drawing as a file's text; `about`: lines for its head."""
    height = _TOP + sum(_HEIGHTS) + _GAP + _FOOT
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
             f'height="{height}" font-family="sans-serif" font-size="13" fill="{GREY}">']
    parts += [text(_LEFT, 20 + 20 * place, line, "start") for place, line in enumerate(about)]
    top = _TOP
    for panel, panel_height, colour in zip(both, _HEIGHTS, COLOURS, strict=True):
        parts += _panel(panel, top, panel_height, colour)
        top += panel_height + _GAP
    foot = top - _GAP
    parts += [text(_x(tick_s), foot + 18, f"{tick_s:+d}" if tick_s else "impact") for tick_s in TICKS_S]
    parts.append(text(_x(5), foot + 38, "seconds from the impact"))
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: int, height: int, colour: str) -> Iterator[str]:
    def y(value: float) -> float:
        return top + (1 - share(value, panel.limits)) * height

    yield text(_LEFT, top - 8, f"{panel.title} ({panel.unit})", "start")
    for begin_s, end_s in panel.holes:
        yield (f'<rect x="{_x(begin_s):.1f}" y="{top}" width="{_x(end_s) - _x(begin_s):.1f}" height="{height}" '
               f'fill="{GREY}" fill-opacity="0.2"><title>no samples</title></rect>')
    low, high = panel.limits
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100) if (high - low) / size <= 8)
    for place in range(int((high - low) // step) + 1):
        value = low + place * step
        yield stroke(_x(TIME[0]), y(value), _x(TIME[1]), y(value), 0.3)
        yield text(_LEFT - 8, y(value) + 4, f"{value:g}", "end")
    for tick_s in TICKS_S:
        yield stroke(_x(tick_s), top, _x(tick_s), top + height, 1.0 if tick_s == 0 else 0.3)
    for run in panel.runs:
        points = " ".join(f"{_x(t):.1f},{y(value):.1f}" for t, value in run)
        if points:
            yield (f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" '
                   'stroke-linejoin="round"/>')


def _x(t_s: float) -> float:
    return _LEFT + share(t_s, TIME) * (_WIDTH - _LEFT - _RIGHT)


def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def stroke(x0: float, y0: float, x1: float, y1: float, opacity: float) -> str:
    return (f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{GREY}" '
            f'stroke-opacity="{opacity}"/>')
