"""`anju away`: what is asked of the gateway, and what is said."""

from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import Desk, refused


def test_an_absence_is_declared_and_ended(shell: Shell, desk: Desk) -> None:
    desk.answers["away"] = [{"away_until": "2026-12-24 18:00"}]
    assert shell("away", "until", "2026-12-24T18:00").stdout == "nobody is at home until 2026-12-24 18:00\n"
    assert desk.asked[-1] == {"verb": "away", "until": "2026-12-24T18:00"}
    desk.answers["away"] = [{"away_until": None}]
    assert shell("away", "end").stdout == "somebody is at home\n"
    assert desk.asked[-1] == {"verb": "away", "until": ""}
    assert shell.json("away", "end") == {"away_until": None}


def test_a_date_that_is_none_is_told_with_its_cure(shell: Shell, desk: Desk) -> None:
    desk.answers["away"] = refused("'soon' is no date", "write it as 2026-12-24")
    assert "write it as 2026-12-24" in shell("away", "until", "soon", code=1).stderr


def test_reduced_cover_of_routine_stands_in_the_status(shell: Shell, desk: Desk) -> None:
    def line() -> str:
        return next(line for line in shell("status").stdout.splitlines() if line.startswith("routine "))

    assert line().split() == ["routine", "watched"]
    desk.answers["status"][0]["routine"] = {"reduced": True, "reasons": ["a pet moves here"]}
    assert line().strip().split(maxsplit=2) == ["routine", "reduced", "a pet moves here"]
