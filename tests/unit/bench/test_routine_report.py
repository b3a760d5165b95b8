"""How the report on routine reads: a column a detector, a line a measure, and what fails is seen."""

from typing import Any

from tests.bench.result import Row, at_most
from tests.bench.routine import BENCHMARKS
from tests.bench.routine.tables import across, markdown


def row(name: str, value: float, benchmark: str = "accuracy", **more: Any) -> dict[str, Any]:
    return Row(name, value, "h", **more).as_json() | {"benchmark": benchmark}


ROWS = [row("synthetic homes, Anju, collapse, median", 4.0, limit=at_most(3.8), spread=(3.5, 4.5)),
        row("synthetic homes, fixed 8 h, collapse, median", 7.7),
        row("synthetic homes, Anju, collapse, p90", 8.0, limit=at_most(8.5))]


def test_a_line_is_a_measure_with_its_limit_and_a_column_a_detector() -> None:
    lines = across(ROWS, by=1).splitlines()
    assert lines[0] == "| | Anju | fixed 8 h | limit |"
    assert lines[2:] == ["| collapse, median | 4 h (3.5–4.5) **FAILS** | 7.7 h | ≤ 3.8 |",
                         "| collapse, p90 | 8 h |  | ≤ 8.5 |"]


def test_every_row_of_a_report_is_in_its_text_once() -> None:
    rows = [*ROWS, row("synthetic homes with a pet, Anju, collapse, median", 5.25), row("a step, mean", 21.5, "cost"),
            row("synthetic homes without a pet, T = 30 d, collapse, p90", 6.75, "budgets"),
            row("OKIoT household, urgent alerts", 3.125, "real"),
            row("synthetic home dev01, Anju, false alerts", 1.375, "homes"),
            row("opaque sensor names, homes told otherwise", 2.5, "robustness")]
    machine = {"cpu": "c", "cores": 2, "load": 0, "file_system": "f", "disk": {}, "kernel": "k", "python": "p",
               "sqlite": "s", "mosquitto": "m"}
    text = markdown({"suites": {"routine": rows}, "machine": machine, "scale": 1, "load_after": 0, "stolen_percent": 0})
    for value in ("7.7 h", "5.25 h", "21.5 h", "6.75 h", "3.125 h", "1.38 h", "2.5 h"):
        assert text.count(value) == 1, value
    assert "SYNTHETIC" in text
    assert "| | T = 30 d | limit |" in text


def test_the_suite_lists_its_benchmarks_without_the_recordings() -> None:
    assert [one.name for one in BENCHMARKS] == ["accuracy", "budgets", "homes", "robustness", "real", "cost", "replay"]
