"""`anju replay falls`: what the fall detector makes of recordings. For people who judge it."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gateway.detect.falls import Params

BLOCK_S = 0.5  # a bracelet sends about two blocks a second

replay = typer.Typer(no_args_is_help=True, help="Show recordings to a detector.")


@replay.callback()
def about() -> None:
    """Show recordings to a detector."""


@replay.command()
def falls(
    recordings: Annotated[Path, typer.Argument(metavar="FILE.npz", help="acc_mg [n, 3], offset, fs.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="CSV; default: standard output.")] = None,
) -> None:
    """Write trial, impact and time of each fall found, in seconds from the trial's start, as CSV."""
    import contextlib
    import sys

    from gateway.cli import screen

    try:
        import numpy
    except ImportError:
        screen.fail("recordings are numpy files, and numpy is not installed", "pip install 'anju[bench]'", 1)
    try:
        with numpy.load(recordings) as file:
            acc_mg, offset, rates_hz = file["acc_mg"], file["offset"], file["fs"]
    except (OSError, ValueError, KeyError) as error:
        screen.fail(f"{recordings} cannot be used: {error}", "give an npz file with acc_mg, offset and fs", 1)
    with out.open("w", newline="", encoding="utf-8") if out else contextlib.nullcontext(sys.stdout) as target:
        rows = csv.writer(target)
        rows.writerow(["trial", "impact_s", "raised_s"])
        for trial, rate_hz in enumerate(rates_hz):
            samples = acc_mg[offset[trial] : offset[trial + 1]].astype("<i2")
            for impact_s, raised_s in found(samples.tobytes(), float(rate_hz)):
                rows.writerow([trial, f"{impact_s:.3f}", f"{raised_s:.3f}"])


def found(samples_mg: bytes, rate_hz: float, params: "Params | None" = None) -> Iterator[tuple[float, float]]:
    """(impact, time of the finding) of every fall in one recording, fed as a bracelet would, in seconds."""
    from gateway.detect import falls as detector
    from gateway.model.reading import Accel
    from gateway.model.time import ClockQuality, Stamp

    size = max(1, round(BLOCK_S * rate_hz))
    state: Any = detector.State()
    for first in range(0, len(samples_mg) // 6, size):
        piece = samples_mg[first * 6 : (first + size) * 6]
        now_s = (first + len(piece) // 6) / rate_hz
        at = Stamp("replay", now_s, None, ClockQuality.UNSET)
        block = Accel(rate_hz, 16.0, first, piece)
        state, findings = detector.step(state, "replay", at, block, params or detector.DEFAULT)
        for finding in findings:
            yield now_s - finding.evidence["impact_ago_s"], now_s
