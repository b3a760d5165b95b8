"""`anju replay falls`: what the shipped fall detector makes of recordings. For people who judge it."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gateway.detect.falls import Forest

replay = typer.Typer(no_args_is_help=True, help="Show recordings to a detector.")

COLUMNS = ("trial", "impact_s", "raised_s", "score", "stage", "words")


@replay.callback()
def about() -> None:
    """Show recordings to a detector."""


@replay.command()
def falls(
    recordings: Annotated[Path, typer.Argument(metavar="TRIALS.npz", help="acc_mg (int16, n × 3), offset, fs in Hz.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="CSV; default: standard output.")] = None,
) -> None:
    """Write each fall found as CSV: trial, and its impact and moment of finding in seconds from the trial's start."""
    import contextlib
    import sys

    from rich.console import Console
    from rich.progress import track

    from gateway.cli import screen
    from gateway.detect.falls import BadModel
    from gateway.runtime import fall_model

    try:
        trials = _trials(recordings)
        forest = fall_model.load()
        target = out.open("w", newline="", encoding="utf-8") if out else contextlib.nullcontext(sys.stdout)
    except BadModel as error:
        screen.fail(error.reason, error.cure, 1)
    except ValueError as error:
        screen.fail(f"{recordings} cannot be used: {error}", "give an npz file with acc_mg, offset and fs", 1)
    except OSError as error:
        screen.fail(f"{out} cannot be written ({error.strerror})", "give --out a file in a folder of yours", 1)
    with target as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        stderr = Console(stderr=True)
        for trial, (samples_mg, rate_hz) in enumerate(
                track(trials, "falls", console=stderr, disable=not stderr.is_terminal, transient=True)):
            rows.writerows([trial, *row] for row in _found(samples_mg, rate_hz, forest))


def _trials(path: Path) -> list[tuple[Any, float]]:
    """(int16 [n, 3], rate) of each trial. Raises ValueError."""
    import numpy

    from gateway.detect.falls.grid import MAX_RATE_HZ, MIN_RATE_HZ

    acc_mg, offset, fs = _arrays(path)
    if acc_mg.ndim != 2 or acc_mg.shape[1] != 3 or not numpy.isfinite(acc_mg).all():
        raise ValueError(f"acc_mg is {acc_mg.dtype} {list(acc_mg.shape)}, not whole milli-g [n, 3]")
    rates_hz = fs.tolist() if fs.ndim == 1 else []
    ends = offset.tolist() if offset.dtype.kind in "iu" and offset.ndim == 1 else []
    if len(ends) != len(rates_hz) + 1 or sorted(ends) != ends or ends[0] < 0 or ends[-1] > len(acc_mg):
        raise ValueError("offset must rise from 0 to the number of samples in whole numbers, with one more than fs has")
    for trial, rate_hz in enumerate(rates_hz):
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise ValueError(f"trial {trial} has {rate_hz:g} samples a second: "
                             f"{MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} can be judged")
    limit = numpy.iinfo(numpy.int16).max
    whole = numpy.rint(acc_mg.clip(-limit, limit)).astype(numpy.int16)
    return [(whole[begin:end], rate_hz) for begin, end, rate_hz in zip(ends, ends[1:], rates_hz, strict=False)]


def _arrays(path: Path) -> "list[Any]":
    """acc_mg, offset and fs, each of numbers. Raises ValueError."""
    import zipfile
    import zlib

    import numpy

    names = ("acc_mg", "offset", "fs")
    try:
        with zipfile.ZipFile(path) as archive:
            absent = [name for name in names if f"{name}.npy" not in archive.namelist()]
        if absent:
            raise ValueError(f"it has no {' and no '.join(absent)}")
        with numpy.load(path) as file:
            arrays = [file[name] for name in names]
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except (EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"it is no npz file, or damaged ({error})") from error
    for name, array in zip(names, arrays, strict=True):
        if array.dtype.kind not in "iuf" or not array.ndim:
            raise ValueError(f"{name} is no array of numbers")
    return arrays


def _found(samples_mg: Any, rate_hz: float, forest: "Forest") -> Iterator[list[str]]:
    from gateway.detect.falls.recording import judged

    if len(samples_mg) < 2:
        return
    for impact_s, raised_s, finding in judged(samples_mg, rate_hz, forest):
        stage = f"{finding.evidence['stage']:.0f}"
        yield [f"{impact_s:.3f}", f"{raised_s:.3f}", f"{finding.score:.3f}", stage, finding.words]
