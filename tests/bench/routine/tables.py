"""The report on routine for people: rows named "homes, detector, measure" become a table for each set of homes."""

from collections.abc import Sequence
from typing import Any

from tests.bench import table

CROSSED = ("accuracy", "budgets", "homes", "robustness")
SYNTHETIC = (
    "All homes but the two recordings at the end are SYNTHETIC: generated, calibrated on published statistics. Each is "
    "replayed walk-forward, without tuning of its own; but the prior that every home begins with was learned from "
    "these very homes, which flatters Anju most in the first weeks.")


def markdown(report: dict[str, Any]) -> str:
    """Return a table for each set of homes in the benchmarks of detection, one for what is left, the machine below."""
    rows = report["suites"]["routine"]
    parts = [SYNTHETIC]
    for benchmark in CROSSED:
        some = [row for row in rows if row["benchmark"] == benchmark and row["name"].count(", ") >= 2]
        if benchmark == "accuracy":
            parts += [f"**{homes}**\n\n{across([row for row in some if _named(row)[0] == homes], by=1)}"
                      for homes in dict.fromkeys(_named(row)[0] for row in some)]
        elif benchmark == "homes" and some:
            parts.append(f"**{benchmark}**\n\n{down(some)}")
        elif some:
            parts.append(f"**{benchmark}**\n\n{across(some, by=1 if benchmark == 'budgets' else 0)}")
    rest = [row for row in rows if row["benchmark"] not in CROSSED or row["name"].count(", ") < 2]
    return "\n\n".join([*parts, table.markdown(report | {"suites": {"routine": rest}})])


def across(rows: Sequence[dict[str, Any]], by: int) -> str:
    """Return a line for each measure, a column for each of the names' part `by` (0: homes, 1: detector)."""
    columns = list(dict.fromkeys(_named(row)[by] for row in rows))
    limits: dict[str, str] = {}
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        measure = _named(row)[2]
        cells.setdefault(measure, {})[_named(row)[by]] = _cell(row)
        limits[measure] = row["limit"] or limits.get(measure, "")
    return "\n".join([
        "| | " + " | ".join(columns) + " | limit |", "|---|" + "--:|" * len(columns) + "---|",
        *(f"| {measure} | " + " | ".join(found.get(column, "") for column in columns) + f" | {limits[measure]} |"
          for measure, found in cells.items())])


def down(rows: Sequence[dict[str, Any]]) -> str:
    """Return a line for each home, a column for each measure, without intervals."""
    measures = list(dict.fromkeys(_named(row)[2] for row in rows))
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        cells.setdefault(_named(row)[0], {})[_named(row)[2]] = f"{row['value']:.3g} {row['unit']}"
    return "\n".join(["| | " + " | ".join(measures) + " |", "|---|" + "--:|" * len(measures),
                      *(f"| {home} | " + " | ".join(found.get(measure, "") for measure in measures) + " |"
                        for home, found in cells.items())])


def _named(row: dict[str, Any]) -> tuple[str, str, str]:
    homes, detector, measure = row["name"].split(", ", 2)
    return homes, detector, measure


def _cell(row: dict[str, Any]) -> str:
    text = f"{row['value']:.3g} {row['unit']}".strip()
    text += f" ({row['spread'][0]:.3g}–{row['spread'][1]:.3g})" if row["spread"] else ""
    return text + (" **FAILS**" if row["holds"] is False else "")
