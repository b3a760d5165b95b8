"""What the report says of a figure, and what the program's exit says of the report."""

import json
import sys
from pathlib import Path

import pytest

from tests.bench import __main__ as program
from tests.bench import suites
from tests.bench.lab import Benchmark, Lab, interleaved
from tests.bench.machine import NoDisk, require_disk
from tests.bench.outbox import day
from tests.bench.result import Row, at_least, at_most, compared
from tests.bench.table import markdown


@pytest.mark.parametrize(("row", "holds"), [
    (Row("rate", 79.0, "1/s", 100.0, at_least(0.8)), False),
    (Row("rate", 80.0, "1/s", 100.0, at_least(0.8)), True),
    (Row("time", 131.0, "ms", 100.0, at_most(1.3)), False),
    (Row("bytes", 49.0, "MB", limit=at_most(50.0)), True),
    (Row("bytes", 51.0, "MB", limit=at_most(50.0)), False),
    (Row("told alone", 51.0, "MB"), None),
])
def test_a_limit_binds_the_ratio_where_there_is_a_floor_and_the_value_elsewhere(row: Row, holds: bool | None) -> None:
    assert row.holds is holds


def test_rounds_are_told_by_median_and_spread() -> None:
    row = compared("rate", "1/s", [10.0, 30.0, 90.0], [20.0, 15.0, 10.0]).as_json()
    assert (row["value"], row["floor"], row["ratio"]) == (30.0, 15.0, 2.0)
    assert (row["spread"], row["floor_spread"]) == ([10.0, 90.0], [10.0, 20.0])


async def test_rounds_alternate() -> None:
    order = []

    async def way(name: str) -> float:
        order.append(name)
        return float(len(order))

    assert await interleaved(3, lambda: way("a"), lambda: way("b")) == [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]
    assert order == ["a", "b"] * 3


@pytest.mark.parametrize(("value", "code"), [(0.9, 0), (0.7, 1)])
def test_a_limit_that_does_not_hold_fails_the_run(value: float, code: int, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    async def run(lab: Lab) -> list[Row]:
        return [Row("told alone", 5.0, "s"), Row("rate", value, "1/s", 1.0, at_least(0.8))]

    monkeypatch.setattr(suites, "benchmarks", lambda suite: [Benchmark("fake", run)])
    monkeypatch.setattr(program, "require_disk", lambda folder: None)
    monkeypatch.setattr(sys, "argv", ["bench", "--json", "--folder", str(tmp_path)])
    assert program.main() == code
    report = json.loads(capsys.readouterr().out)
    assert [row["holds"] for row in report["suites"]["outbox"]] == [None, code == 0]
    assert {"cpu", "cores", "load", "file_system", "disk", "python", "sqlite", "mosquitto"} <= set(report["machine"])
    assert ("| rate | 0.9 1/s | 1 | 0.90 | ≥ 0.8 | holds |" in markdown(report)) is (code == 0)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no file system in memory")
def test_a_folder_in_memory_is_refused() -> None:
    with pytest.raises(NoDisk, match=r"lies in memory \(tmpfs\).*give --folder"):
        require_disk(Path("/dev/shm"))


@pytest.mark.parametrize("module", ["tests.bench.nowhere", "tests.bench.result"])
def test_a_suite_that_is_not_there_or_has_no_benchmarks_is_told(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(suites.MODULES, "peer", module)
    with pytest.raises(suites.Absent, match=module):
        suites.benchmarks("peer")


def test_the_ordinary_day_is_what_it_says() -> None:
    moments = day.moments(seed=8)
    told = [event.subject.partition("-")[0] for moment in moments for event in moment.events]
    counts = {subject: told.count(subject) for subject in set(told)}
    assert counts == {"bracelet": 4 * 3 * 1440, "sensor": 1500, "sos": 6}
    assert sum(moment.alarm is not None for moment in moments) == 12
    assert [moment.at_s for moment in moments] == sorted(moment.at_s for moment in moments)
    assert 0 <= moments[0].at_s < moments[-1].at_s < day.DAY_S
    night = sum(moment.at_s < day.RISES_S for moment in moments if moment.place == 1)
    assert 0 < night < 200
