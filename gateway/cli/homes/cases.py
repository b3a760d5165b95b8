"""Cases: moments of a recording at which the resident might have collapsed, and what would still have happened then.

Two ways to write them
 - `case` (a name; without this column the line's number from 0) and `at` or `time`. What goes on happening in each case
   stands in a second file: `case`, `time`, `sensor`, `value`, and `kind` and `room` where the recording does not have
   the sensor. Without a column `case` it goes on in every case: a pet.
 - With a column `type`, the lines of type night_exit name their two events in `note`: "add SENSOR OPEN at t and CLOSED
   at t+12s".
Events of the second file that come before the case, or after the horizon, are none of it.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.cli.homes.course import Case
from gateway.cli.homes.recording import BadRecording, Recording, Row, rows, taker
from gateway.detect.home import Input, Sign, SignKind, room_class

NIGHT_EXIT = "night_exit"
_NOTE = re.compile(r"add (\S+) OPEN at t and CLOSED at t\+(\d+)s")


def cases(path: Path, then: Path | None, recording: Recording, horizon_s: float) -> list[Case]:
    """Read the cases, and the events that go on in them. Raises BadRecording."""
    found: dict[str, tuple[float, list[Input]]] = {}
    for place, row in enumerate(rows(path, ())):
        column = "at" if "at" in row.cells else "time"
        if column not in row.cells:
            raise BadRecording(path, 1, "no column at", "give the moment of each case in a column `at`")
        name, at_s = row.cells.get("case", str(place)), row.time_s(column)
        if name in found:
            raise row.bad(f"a second case {name!r}", "number the cases in the column `case`")
        found[name] = (at_s, list(_night_exit(row, at_s, recording)))
    if then is not None:
        for case, went_on in _going_on(then, recording, found).items():
            times = [happened.at_s for happened in went_on]
            for at_s, own in [found[case]] if case is not None else found.values():
                own += went_on[bisect_left(times, at_s) : bisect_left(times, at_s + horizon_s)]
    return [Case(name, at_s, sorted(own, key=lambda happened: happened.at_s)) for name, (at_s, own) in found.items()]


def _going_on(path: Path, recording: Recording, known: Mapping[str, object]) -> dict[str | None, list[Input]]:
    """The events of each case, sorted; under None those of every case."""
    found: dict[str | None, list[Input]] = {}
    take = taker(recording)
    for row in rows(path, ("time", "sensor", "value")):
        case = row.cells.get("case")
        if case is not None and case not in known:
            raise row.bad(f"there is no case {case!r}", "name a case of --what-if, or leave the column `case` out")
        kind, room = recording.places.get(row.cells["sensor"], ("", ""))
        kind, room = row.cells.get("kind") or kind, row.cells.get("room") or room
        if not kind:
            raise row.bad(f"the recording has no sensor {row.cells['sensor']!r}", "give its kind in a column `kind`")
        cells = {"sensor": row.cells["sensor"], "value": row.cells["value"], "kind": kind, "room": room}
        found.setdefault(case, []).extend(take(row, row.time_s(), cells))
    return {name: sorted(some, key=lambda happened: happened.at_s) for name, some in found.items()}


def _night_exit(row: Row, at_s: float, recording: Recording) -> Iterator[Input]:
    if row.cells.get("type") != NIGHT_EXIT:
        return
    note = _NOTE.match(row.cells.get("note", ""))
    if note is None:
        raise row.bad(f"a {NIGHT_EXIT} without its door", 'note it as "add SENSOR OPEN at t and CLOSED at t+12s"')
    _, room = recording.places.get(note[1], ("", ""))
    for delay_s, is_open in ((0, True), (int(note[2]), False)):
        yield Sign(at_s + delay_s, at_s + delay_s, note[1], SignKind.DOOR, room_class(room), is_open)
