"""The report on falls for people: rows named "data, detector, measure" become one line for a detector on its data."""

from collections.abc import Sequence
from typing import Any

from tests.bench import table

MEASURES = ("sensitivity", "specificity", "false alarms", "false alarms per 1000 losses", "false before the fall",
            "delay")
CROSSED = ("accuracy", "parts", "robustness", "losses", "watches")


def markdown(report: dict[str, Any]) -> str:
    """Return one table for each benchmark of detection and one for all that is left, the machine below."""
    rows = report["suites"]["falls"]
    crossed = [crosstab([row for row in rows if row["benchmark"] == name]) for name in CROSSED]
    rest = [row for row in rows if row["benchmark"] not in CROSSED]
    return "\n\n".join([*filter(None, crossed), table.markdown(report | {"suites": {"falls": rest}})])


def crosstab(rows: Sequence[dict[str, Any]]) -> str:
    """Return a line for each data and detector, a column for each measure of any; "" where there are no rows."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        data, detector, measure = row["name"].split(", ")
        lines.setdefault((data, detector), {})[measure] = _cell(row)
    if not lines:
        return ""
    measures = [measure for measure in MEASURES if any(measure in cells for cells in lines.values())]
    return "\n".join([
        "| data | detector | " + " | ".join(measures) + " |", "|---|---|" + "--:|" * len(measures),
        *(f"| {data} | {detector} | " + " | ".join(cells.get(measure, "") for measure in measures) + " |"
          for (data, detector), cells in lines.items())])


def _cell(row: dict[str, Any]) -> str:
    text = f"{row['value']:.3g} {row['unit']}".strip()
    return text + (f" ({row['spread'][0]:.3g}–{row['spread'][1]:.3g})" if row["spread"] else "")
