"""`python -m tests.bench.thingsboard`: Anju beside its peer, as JSON or as a table for a document.

Exit code: 0 where it was measured, whoever is ahead; 2 where it cannot be measured here.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.lab import Lab
from tests.bench.machine import NoDisk, describe, load, processor_ticks, require_disk
from tests.bench.table import machine
from tests.bench.thingsboard import MEASUREMENTS, SETTINGS, measure, missing
from tests.bench.thingsboard.comparison import PEER, markdown


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.thingsboard",
                                     description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure this (default: everything)")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="a directory on the disk to measure")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every size; below 1 to try something out")
    parser.add_argument("--json", action="store_true", help="print the report as JSON (default: as Markdown)")
    parser.add_argument("--brief", action="store_true", help="in Markdown, say why only where Anju is not ahead")
    parser.add_argument("--from", dest="saved", type=Path, metavar="FILE", help="show a saved JSON report, run nothing")
    return parser.parse_args()


async def report(arguments: argparse.Namespace) -> dict[str, Any]:
    lab = Lab(arguments.folder, arguments.scale)
    found: dict[str, Any] = {"peer": PEER, "settings": SETTINGS, "machine": describe(lab.folder), "scale": lab.scale,
                             "rows": [], "seconds": {}}
    ticks, stolen = processor_ticks()
    for name in arguments.only or MEASUREMENTS:
        lab.say(name)
        begun_s = time.monotonic()
        found["rows"] += [row.as_json() for row in await measure(name, lab)]
        found["seconds"][name] = round(time.monotonic() - begun_s, 1)
    ticks_after, stolen_after = processor_ticks()
    found["load_after"] = load()
    found["stolen_percent"] = round(100 * (stolen_after - stolen) / max(1, ticks_after - ticks), 1)
    return found


def main() -> int:
    arguments = _arguments()
    logging.disable(logging.ERROR)  # what goes wrong here goes wrong on purpose
    try:
        if arguments.saved:
            found = json.loads(arguments.saved.read_text(encoding="utf-8"))
        else:
            require_disk(arguments.folder)
            if (why := missing()) is not None:
                print(why, file=sys.stderr)
                return 2
            found = asyncio.run(report(arguments))
    except NoDisk as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print(f"{markdown(found, arguments.brief)}\n- {machine(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
