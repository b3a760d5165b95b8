"""Other sensors and names than those of the synthetic homes, and two real recordings: nothing may break.

- opaque: every sensor has another name; nothing may change, so every difference counts.
- unnamed: no sensor says in which room it is.
- thinned: a sensor of motion is blind for 5 min after each event, as many on batteries are.
- The real recordings (OKIoT: several residents; CASAS: a week with an absence) have no labels; what is told counts.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from zlib import crc32

from gateway.cli.homes.recording import COLUMNS
from tests.bench.lab import Lab
from tests.bench.result import Row, at_least, at_most
from tests.bench.routine import accuracy, product
from tests.bench.routine.homes import REAL, Home, rows, seconds, write
from tests.bench.routine.score import REDUCED, judge

BLIND_S = 300.0
EVERY = 4  # homes: the robustness of three is enough to see what breaks
Line = dict[str, str]
Change = Callable[[Iterator[Line]], Iterator[Line]]


def opaque(lines: Iterator[Line]) -> Iterator[Line]:
    """Give every sensor a name that says nothing."""
    for line in lines:
        yield line | {"sensor": _code(line["sensor"])}


def unnamed(lines: Iterator[Line]) -> Iterator[Line]:
    """Take the rooms away."""
    for line in lines:
        yield line | {"room": ""}


def thinned(lines: Iterator[Line]) -> Iterator[Line]:
    """Leave out motion within BLIND_S after the sensor's last that is left."""
    last_s: dict[str, float] = {}
    for line in lines:
        if line["kind"] == "motion":
            at_s = seconds(line["time"])
            if at_s < last_s.get(line["sensor"], -BLIND_S) + BLIND_S:
                continue
            last_s[line["sensor"]] = at_s
        yield line


CHANGES: Mapping[str, Change] = {"without rooms": unnamed, "with slow sensors of motion": thinned}


async def run(lab: Lab) -> list[Row]:
    """The product on changed recordings of every EVERY-th home without a pet."""
    known = [home for home in accuracy.chosen(lab) if not home.pet][::EVERY]
    found: list[Row] = []
    with lab.room() as folder:
        plain = product.replay([_changed(home, folder / "plain", lambda lines: lines) for home in known], folder)
        hidden = product.replay([_changed(home, folder / "opaque", opaque, _code) for home in known], folder)
        apart = sum(one.told != other.told for one, other in zip(plain, hidden, strict=True))
        found.append(Row("opaque sensor names, homes told otherwise", apart, "", limit=at_most(0),
                         note=f"of {len(known)}"))
        cases = [("as they are", plain)]
        for name, change in CHANGES.items():
            lab.say(f"routine: {name}")
            cases.append((name, product.replay([_changed(home, folder / name, change) for home in known], folder)))
        for name, told in cases:
            verdicts = [judge(one.home, one.told) for one in told]
            found += [row for row in accuracy.rows(f"synthetic homes {name}", accuracy.ANJU, verdicts)
                      if row.name.split(", ", 2)[2] in WANTED]
    return found


def _code(sensor: str) -> str:
    return sensor if sensor == "gateway" else f"s{crc32(sensor.encode()):08x}"


WANTED = ("false alerts", "collapse, median", "collapse, p90", "collapse unnoticed in 24 h")


async def real(lab: Lab) -> list[Row]:
    """The real recordings go through, and where several people live that is declared."""
    found: list[Row] = []
    for name, events in REAL.items():
        if not events.exists():
            continue
        with lab.room() as folder:
            took_s = product.run(events, folder / "found.csv")
            told = product.found(folder / "found.csv")
        first_s = next(seconds(line["time"]) for line in rows(events))
        reduced = [one for one in told if one.kind == REDUCED]
        days = f"after {(reduced[0].at_s - first_s) / 86400:.1f} days" if reduced else "never"
        limit = at_least(1) if name.startswith("OKIoT") else None
        found += [Row(f"{name}, reduced cover declared", len(reduced), "times", limit=limit, note=days),
                  Row(f"{name}, urgent alerts", sum(one.urgent for one in told), "",
                      note=", ".join(sorted({one.kind for one in told if one.urgent})) or "none"),
                  Row(f"{name}, replayed in", took_s, "s")]
    return found


def _changed(home: Home, folder: Path, change: Change, renamed: Callable[[str], str] = str) -> Home:
    """The same home with a changed recording; `renamed`: what a sensor that a case names is called in it."""
    folder.mkdir(exist_ok=True)
    events = folder / f"{home.name}.csv"
    write(events, COLUMNS, change(rows(home.events)))

    def called(door: re.Match[str]) -> str:
        return door[0].replace(door[1], renamed(door[1]))

    cases = tuple(replace(case, note=product.DOOR.sub(called, case.note)) for case in home.cases)
    return replace(home, events=events, cases=cases)
