"""Recording: a home's sensor events in a file, as the detectors of routine take them.

A file is CSV, gzipped if its name ends in .gz, sorted, with a header: `time` (the flat's wall clock, ISO 8601, no
zone), `sensor`, `kind` (one of KINDS, or link), `room`, `value` (ON or OFF, OPEN or CLOSED). A row of kind link is
about the sensor itself: OFFLINE (found lost) or ONLINE (back); of the sensor `gateway` BOOT: it was down until now.
A recording has no other clock: seconds since 1970 without a zone stand for both `at_s` and `local_s`.
"""

import csv
import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.detect.home import GATEWAY, Input, Outage, Sign, SignKind, room_class

COLUMNS = ("time", "sensor", "kind", "room", "value")
LINK = "link"
KINDS = tuple(SignKind)
LEVELS = {"ON": True, "OPEN": True, "OFF": False, "CLOSED": False}
LINKS = {"OFFLINE": True, "ONLINE": False}
BOOT = "BOOT"


class BadRecording(Exception):
    """A file that cannot be replayed: what and where, and what to do about it."""

    def __init__(self, path: Path, line: int | None, reason: str, cure: str) -> None:
        where = f"{path}, line {line}" if line is not None else str(path)
        super().__init__(f"{where}: {reason}: {cure}")
        self.reason, self.cure = f"{where}: {reason}", cure


@dataclass
class Recording:
    """What a file holds. `skipped`: what was left out -> how many rows; `places`: sensor -> (kind, room) as written."""

    inputs: list[Input] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of a CSV file, its number counted from 1 with the header."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def bad(self, reason: str, cure: str) -> BadRecording:
        return BadRecording(self.path, self.line, reason, cure)

    def time_s(self, column: str = "time") -> float:
        """Seconds since 1970 without a zone. Raises BadRecording."""
        text = self.cells[column]
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self.bad(f"{text!r} is no time", "write it as 2024-01-08T01:11:47") from None
        if moment.tzinfo is not None:
            raise self.bad(f"{text} has a zone", "write the flat's wall clock, without a zone")
        return moment.replace(tzinfo=UTC).timestamp()


def read(path: Path) -> Recording:
    """Read a recording. Raises BadRecording."""
    found, before_s = Recording(), -float("inf")
    take = taker(found)
    for row in rows(path, COLUMNS):
        at_s = row.time_s()
        if at_s < before_s:
            raise row.bad(f"{row.cells['time']} is earlier than the line before it", "sort the file by time")
        before_s = at_s
        found.inputs += take(row, at_s, row.cells)
    if not found.inputs:
        raise BadRecording(path, None, "it holds no event of a known kind", f"record one of {', '.join(KINDS)}")
    return found


def rows(path: Path, needed: tuple[str, ...]) -> Iterator[Row]:
    """Each line of a CSV file that is not empty. Raises BadRecording where a column is missing or cannot be read."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadRecording(path, None, f"it cannot be read ({why})", "give CSV in UTF-8, plain or in .gz") from error
    table = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    missing = [name for name in needed if name not in (table.fieldnames or ())]
    if missing:
        raise BadRecording(path, 1, f"no column {', '.join(missing)}", f"begin it with {','.join(needed)}")
    for cells in table:
        yield Row(path, table.line_num, cells)


def taker(into: Recording) -> Callable[[Row, float, Mapping[str, str]], tuple[Input, ...]]:
    """What makes the inputs of a row; what it leaves out, and where each sensor is, goes `into` the recording."""
    known: dict[tuple[str, str, str], tuple[str, SignKind, str, bool]] = {}

    def take(row: Row, at_s: float, cells: Mapping[str, str]) -> tuple[Input, ...]:
        sensor, kind, room, value = cells["sensor"], cells["kind"], cells["room"], cells["value"]
        sign = known.get((sensor, kind, value))
        if sign is not None:
            return (Sign(at_s, at_s, *sign),)
        if not sensor:
            raise row.bad("no sensor", "name the sensor of each event")
        if kind == LINK:
            return _link(row, at_s, sensor, value)
        if kind not in KINDS:
            into.skipped[f"unknown kind {kind!r} (known are {', '.join(KINDS)}, {LINK})"] += 1
            return ()
        if value not in LEVELS:
            raise row.bad(f"{value!r} is no value of a sensor", f"write one of {', '.join(LEVELS)}")
        into.places.setdefault(sensor, (kind, room))
        sort = SignKind.INNER_DOOR if kind == SignKind.APPLIANCE and value in ("OPEN", "CLOSED") else SignKind(kind)
        sign = known[sensor, kind, value] = (sensor, sort, room_class(room), LEVELS[value])
        return (Sign(at_s, at_s, *sign),)

    return take


def _link(row: Row, at_s: float, sensor: str, value: str) -> tuple[Input, ...]:
    if value == BOOT:  # it knows only now that it was gone
        return Outage(at_s, at_s, GATEWAY, True), Outage(at_s, at_s, GATEWAY, False)
    if value not in LINKS:
        raise row.bad(f"{value!r} is no value of a link", f"write one of {', '.join(LINKS)}, {BOOT}")
    return (Outage(at_s, at_s, sensor, LINKS[value]),)


def local(at_s: float) -> str:
    """The flat's wall clock, ISO 8601 without a zone, to the second."""
    return datetime.fromtimestamp(round(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%S")
