"""`python -m tests.bench.routine REPORT.json`: what a saved report says of routine, in Markdown for docs/benchmarks.md.

A report is what `python -m tests.bench --suite routine --json` prints.
"""

import json
import sys
from pathlib import Path

from tests.bench.routine.tables import markdown

if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
