"""`anju status` says how far the clock can be trusted, and when it was set."""

from typing import Any

import pytest

from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import Desk

WAITS = "events are dated when a time server has set the clock"


@pytest.mark.parametrize(("quality", "stepped", "told"), [
    ("synced", None, ""),
    ("unset", None, WAITS),
    ("synced", {"by_s": 7200.4, "ago_s": 180.0}, "set forward by 2 h, 3 min ago"),
    ("restored", {"by_s": -7200.0, "ago_s": 4.0}, f"{WAITS}; set back by 2 h, 4.0 s ago"),
])
def test_the_clocks_line(shell: Shell, desk: Desk, quality: str, stepped: dict[str, Any] | None, told: str) -> None:
    desk.answers["status"][0]["clock"] |= {"quality": quality, "stepped": stepped}
    line = next(line for line in shell("status").stdout.splitlines() if line.startswith("clock "))
    assert line.split(maxsplit=2)[1:] == [quality, told] if told else line.split() == ["clock", quality]
