"""A run's report for people: as a table in the terminal, or in Markdown for a document. Both read the JSON."""

from typing import Any

from rich.console import Console
from rich.table import Table

_HEAD = ("", "measured", "floor", "ratio", "limit", "")


def show(report: dict[str, Any], console: Console) -> None:
    """Print every suite's rows, and the machine below."""
    for suite, rows in report["suites"].items():
        table = Table(title=suite, title_justify="left", box=None, pad_edge=False)
        for place, head in enumerate(_HEAD):
            table.add_column(head, justify="left" if place in (0, 5) else "right", overflow="fold")
        for row in rows:
            *cells, verdict = _cells(row)
            style = {True: "green", False: "bold red"}.get(row["holds"], "")
            table.add_row(*cells, f"[{style}]{verdict}[/]" if style else verdict)
        console.print(table)
        for row in filter(lambda row: row["note"], rows):
            console.print(f"{row['name']}: {row['note']}", style="dim", highlight=False)
        console.print()
    console.print(machine(report), style="dim", highlight=False)


def markdown(report: dict[str, Any]) -> str:
    """Return the same as Markdown."""
    lines = []
    for rows in report["suites"].values():
        lines += ["| " + " | ".join(_HEAD) + " |", "|---|--:|--:|--:|--:|---|"]
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
        lines.append("")
    return "\n".join([*lines, machine(report)])


def machine(report: dict[str, Any]) -> str:
    """Return the machine in one sentence."""
    of = report["machine"]
    disk = ", ".join(filter(None, [of["disk"].get("kind"), of["disk"].get("write_cache")]))
    scale = "" if report["scale"] == 1 else f" Sizes × {report['scale']:g}: to try out, not to quote."
    return (f"{of['cpu']}, {of['cores']} cores, load {of['load']} before and {report['load_after']} after, "
            f"{report['stolen_percent']} % of the processors stolen; "
            f"{of['file_system']} on {disk or 'an unknown disk'}; Linux {of['kernel']}, Python {of['python']}, "
            f"SQLite {of['sqlite']}, mosquitto {of['mosquitto'] or 'absent'}.{scale}")


def _cells(row: dict[str, Any]) -> list[str]:
    value = f"{_number(row['value'])} {row['unit']}"
    if row["spread"]:
        value += f" ({_number(row['spread'][0])}–{_number(row['spread'][1])})"
    floor = "" if row["floor"] is None else _number(row["floor"])
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    verdict = {True: "holds", False: "FAILS"}.get(row["holds"], "")
    return [row["name"], value, floor, ratio, row["limit"] or "", verdict]


def _number(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:,.4g}"
