"""`python -m gateway.training.routine FOLDER`: recordings of homes in, the prior of the gap detector out.

FOLDER holds recordings as `anju replay home` takes them, NAME.csv.gz, and homes.csv with the columns home and pet. A
home with a pet teaches only what human-only signs do.
"""

import argparse
import csv
from pathlib import Path

from gateway.cli.homes import recording
from gateway.detect.inactivity import prior
from gateway.detect.inactivity.detector import Settings, State, step
from gateway.detect.inactivity.hazard import Gap
from gateway.training.routine import written
from gateway.training.routine.fit import fitted, tables

Learned = tuple[list[Gap], list[Gap]]


def main() -> None:
    first = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m gateway.training.routine", description=first)
    parser.add_argument("folder", type=Path, help="the folder with homes.csv and the recordings")
    parser.add_argument("--out", type=Path, default=Path(prior.__file__))
    arguments = parser.parse_args()
    with (arguments.folder / "homes.csv").open(encoding="utf-8") as file:
        homes = {row["home"]: row["pet"] == "True" for row in csv.DictReader(file)}
    every: list[Gap] = []
    human: list[Gap] = []
    for home, pet in homes.items():
        all_gaps, human_gaps = silences(arguments.folder / f"{home}.csv.gz")
        every += [] if pet else all_gaps
        human += human_gaps
    arguments.out.write_text(written.module(fitted(*tables(every)), fitted(*tables(human))), encoding="utf-8")
    print(f"{arguments.out}: {len(every)} silences of all signs, {len(human)} of human-only ones, {len(homes)} homes")


def silences(path: Path) -> Learned:
    """(silences of all signs, of human-only ones) that the detector would learn from in a recording."""
    state, settings = State(), Settings()
    found: Learned = ([], [])
    for happened in recording.read(path).inputs:
        before = state
        state, _ = step(state, happened, settings)
        if state.day != before.day:
            found[0].extend(before.all.gaps)
            found[1].extend(before.human.gaps)
    found[0].extend(state.all.gaps)
    found[1].extend(state.human.gaps)
    return found


if __name__ == "__main__":
    main()
