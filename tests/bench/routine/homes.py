"""Homes with labels: what happened in a recording, what would have been, and what is known to be no false alert.

One folder holds `homes.csv` (home, pet), and for each home H its events (`H.csv.gz`), `H.labels.csv.gz` (start, end,
label), `H.injections.csv` (type, time, note: the cases) and, where a pet lives, `H.pet_events.csv.gz`. The homes are
SYNTHETIC: generated, and calibrated on published statistics of gaps. Two recordings beside them are real.
Times are seconds since 1970 of the flat's wall clock.
"""

import csv
import gzip
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SHARED = Path(os.environ.get("ANJU_SHARED", Path(__file__).parents[4] / "shared"))
FOLDER = SHARED / "data" / "homes"
SYNTHETIC = FOLDER / "sim"
REAL = {"OKIoT household": FOLDER / "okiot_br_household.csv.gz", "CASAS tm000": FOLDER / "cil_tm000_week.csv.gz"}


@dataclass(frozen=True)
class Case:
    """A moment at which something might have happened. `due_s`: from when on the delay counts."""

    kind: str
    at_s: float
    due_s: float
    note: str


@dataclass(frozen=True)
class Home:
    """One labelled home. `excused_s`: spans in which an alert is not false (illness, gateway down)."""

    name: str
    pet: bool
    events: Path
    first_s: float
    last_s: float
    cases: tuple[Case, ...]
    excused_s: tuple[tuple[float, float], ...]

    @property
    def pet_events(self) -> Path | None:
        path = self.events.with_name(f"{self.name}.pet_events.csv.gz")
        return path if path.exists() else None


def missing(folder: Path = SYNTHETIC) -> str | None:
    """Say what is missing and how to get it; None where the recordings are there."""
    if (folder / "homes.csv").is_file():
        return None
    return (f"no labelled homes in {folder}: set ANJU_SHARED to the folder that holds data/homes, laid out as the head "
            "of tests/bench/routine/homes.py says")


def homes(folder: Path = SYNTHETIC) -> list[Home]:
    """Every labelled home of a folder. Raises OSError."""
    return [_home(folder, row["home"], row["pet"] == "True") for row in rows(folder / "homes.csv")]


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The lines of a CSV file, in .gz or plain."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def write(path: Path, columns: Sequence[str], lines: Iterator[dict[str, str]]) -> None:
    """Write lines as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(lines)


def seconds(text: str) -> float:
    """A wall clock's time, ISO 8601 without a zone, in seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _home(folder: Path, name: str, pet: bool) -> Home:
    events = folder / f"{name}.csv.gz"
    times = [row["time"] for row in rows(events)]
    excused = tuple((seconds(row["start"]), seconds(row["end"])) for row in rows(folder / f"{name}.labels.csv.gz")
                    if row["label"] in ("illness", "gateway_down"))
    cases = tuple(_case(row) for row in rows(folder / f"{name}.injections.csv"))
    return Home(name, pet, events, seconds(times[0]), seconds(times[-1]), cases, excused)


def _case(row: dict[str, str]) -> Case:
    """`note` says "usual_wake=..." or "would_return=..." where the delay counts from then on."""
    at_s, (word, _, moment) = seconds(row["time"]), row["note"].partition("=")
    return Case(row["type"], at_s, seconds(moment) if word in ("usual_wake", "would_return") else at_s, row["note"])
