"""The product on labelled homes: the command `anju replay home`, as anybody would run it, two homes at a time."""

import csv
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.homes.recording import local
from tests.bench.routine.homes import Home, rows, seconds, write
from tests.bench.routine.score import Told

AT_ONCE = 2
HORIZON_H = 48
DOOR = re.compile(r"add (\S+) OPEN at t and CLOSED at t\+(\d+)s")
_THEN = ("case", "time", "sensor", "kind", "room", "value")


@dataclass(frozen=True)
class Replayed:
    """What the command found in a home, and how long it took."""

    home: Home
    told: list[Told]
    seconds: float


def replay(homes: Sequence[Home], folder: Path, budget_days: float = 60.0) -> list[Replayed]:
    """Run the command on every home with its cases. Raises RuntimeError where it fails."""
    with ThreadPoolExecutor(AT_ONCE) as crew:
        return list(crew.map(lambda home: _replay(home, folder, budget_days), homes))


def run(events: Path, out: Path, *more: str) -> float:
    """Run the command on a recording; return the seconds it took. Raises RuntimeError where it fails."""
    command = [str(Path(sys.executable).with_name("anju")), "replay", "home", str(events), "--out", str(out), *more]
    begun_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return time.monotonic() - begun_s


def found(out: Path) -> list[Told]:
    """Read what the command wrote."""
    with out.open(encoding="utf-8") as file:
        return [Told(int(row["case"]) if row["case"] else None, seconds(row["time"]), row["kind"], row["urgent"] == "1")
                for row in csv.DictReader(file)]


def _replay(home: Home, folder: Path, budget_days: float) -> Replayed:
    stem = f"{home.name}.{budget_days:g}"
    cases, then, out = (folder / f"{stem}.{what}.csv" for what in ("cases", "then", "found"))
    write(cases, ("case", "at"), ({"case": str(n), "at": local(case.at_s)} for n, case in enumerate(home.cases)))
    write(then, _THEN, going_on(home))
    took_s = run(home.events, out, "--what-if", str(cases), "--and-then", str(then), "--horizon-h", str(HORIZON_H),
                 "--budget-days", f"{budget_days:g}")
    return Replayed(home, found(out), took_s)


def going_on(home: Home) -> Iterator[dict[str, str]]:
    """The events that happen in each case all the same: the door of a night exit, and the pet's."""
    places = {row["sensor"]: row for row in rows(home.events) if row["kind"] != "link"}
    pet = [(seconds(row["time"]), row) for row in rows(home.pet_events)] if home.pet_events else []
    for number, case in enumerate(home.cases):
        if door := DOOR.match(case.note):
            for delay_s, value in ((0, "OPEN"), (int(door[2]), "CLOSED")):
                yield places[door[1]] | {"case": str(number), "time": local(case.at_s + delay_s), "value": value}
        for at_s, row in pet:
            if case.at_s <= at_s < case.at_s + HORIZON_H * 3600:
                yield places[row["sensor"]] | row | {"case": str(number)}
