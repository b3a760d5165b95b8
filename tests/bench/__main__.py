"""`python -m tests.bench`: measure the product beside its floors, in the same run on the same disk.

Exit code: 0 where every limit holds, 1 where one does not, 2 where it cannot be measured here.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench import suites, table
from tests.bench.lab import Benchmark, Lab
from tests.bench.machine import NoDisk, describe, load, processor_ticks, require_disk


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--suite", action="append", choices=suites.MODULES, help="which to run (default: outbox)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="benchmarks of the suite, by name")
    parser.add_argument("--peer", action="store_true", help="measure the peer too, in the same table")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="a directory on the disk to measure")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every size; below 1 to try something out")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    parser.add_argument("--list", action="store_true", help="print the names of the benchmarks and end")
    parser.add_argument("--from", dest="saved", type=Path, metavar="FILE", help="show a saved JSON report, run nothing")
    return parser.parse_args()


async def run(chosen: dict[str, Sequence[Benchmark]], lab: Lab) -> dict[str, Any]:
    """Return the report of these benchmarks."""
    report: dict[str, Any] = {"machine": describe(lab.folder), "scale": lab.scale, "suites": {}, "seconds": {}}
    ticks, stolen = processor_ticks()
    for suite, benchmarks in chosen.items():
        rows = report["suites"].setdefault(suite, [])
        for benchmark in benchmarks:
            lab.say(f"{suite}: {benchmark.name}")
            begun_s = time.monotonic()
            rows += [row.as_json() | {"benchmark": benchmark.name} for row in await benchmark.run(lab)]
            report["seconds"][f"{suite}/{benchmark.name}"] = round(time.monotonic() - begun_s, 1)
    ticks_after, stolen_after = processor_ticks()
    report["load_after"] = load()
    report["stolen_percent"] = round(100 * (stolen_after - stolen) / max(1, ticks_after - ticks), 1)
    report["holds"] = all(row["holds"] is not False for rows in report["suites"].values() for row in rows)
    return report


def _chosen(arguments: argparse.Namespace) -> dict[str, Sequence[Benchmark]]:
    """Raises Absent."""
    found = {suite: list(suites.benchmarks(suite)) for suite in arguments.suite or ["outbox"]}
    if arguments.peer and suites.PEER not in found:
        found.setdefault("outbox", []).extend(suites.benchmarks(suites.PEER))
    names = {benchmark.name for benchmarks in found.values() for benchmark in benchmarks}
    if unknown := sorted(set(arguments.only) - names):
        raise suites.Absent(f"no benchmark {', '.join(unknown)}: there are {', '.join(sorted(names))}")
    return {suite: [b for b in benchmarks if not arguments.only or b.name in arguments.only]
            for suite, benchmarks in found.items()}


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING)
    try:
        if arguments.saved:
            report = json.loads(arguments.saved.read_text(encoding="utf-8"))
        else:
            require_disk(arguments.folder)
            chosen = _chosen(arguments)
            if arguments.list:
                print("\n".join(f"{suite}: {b.name}" for suite, benchmarks in chosen.items() for b in benchmarks))
                return 0
            report = asyncio.run(run(chosen, Lab(arguments.folder, arguments.scale)))
    except (NoDisk, suites.Absent) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    elif arguments.markdown:
        print(table.markdown(report))
    else:
        table.show(report, Console(width=None if sys.stdout.isatty() else 120))
    return 0 if report["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
