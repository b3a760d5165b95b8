"""What docs/failure-modes.md promises, held against what there is."""

import re
from pathlib import Path

import pytest

from hil.cloud.behaviour import conduct
from hil.resources import control
from hil.resources.faults import HEALTHY, OPERATIONS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/failure-modes.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([a-z0-9_/]+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_page_names_is_there(path: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE)


def test_every_failure_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Failure")]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []


def test_the_commands_of_the_page_are_good() -> None:
    faults = HEALTHY
    for text in re.findall(r'--fault "([^"]+)"', PAGE):
        op, arguments = control.words(text)
        faults = OPERATIONS[op](faults, **arguments)
    assert faults not in (HEALTHY, None)
    (behaviour,) = re.findall(r'--behave "([^"]+)"', PAGE)
    name, arguments = control.words(behaviour)
    assert conduct(name, 0.0, **arguments).until_s == 600.0
