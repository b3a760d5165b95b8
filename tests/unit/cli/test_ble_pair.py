"""`anju ble pair`: what the technician is asked, and what is told of it."""

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import Desk, refused

OPEN, PAIRING = {"state": "open", "left_s": 59}, {"state": "pairing"}
PASSKEY, NUMBER = {"state": "passkey"}, {"state": "number", "number": "042137"}


def paired(check: str) -> dict[str, Any]:
    return {"state": "paired", "check": check}


@pytest.fixture(autouse=True)
def told(desk: Desk) -> None:
    desk.answers["answer_pairing"] = lambda _request: [{}]


def answers(desk: Desk) -> list[str]:
    return [request["answer"] for request in desk.asked if request["verb"] == "answer_pairing"]


def test_the_passkey_that_is_typed_reaches_the_gateway(shell: Shell, desk: Desk) -> None:
    desk.answers["pair"] = [OPEN, PAIRING, PASSKEY, paired("passkey")]
    result = shell("ble", "pair", "bracelet", "--seconds", 30, typed="012 345\n")
    assert desk.asked[0] == {"verb": "pair", "bus": "ble", "device": "bracelet", "seconds": 30.0}
    assert answers(desk) == ["012345"]
    assert "paired bracelet, checked by its passkey" in result.stdout


def test_a_slip_of_the_finger_is_asked_again_before_it_costs_the_pairing(shell: Shell, desk: Desk) -> None:
    desk.answers["pair"] = [PASSKEY, paired("passkey")]
    result = shell("ble", "pair", "bracelet", typed="12345\n１２３４５６\n123456\n")
    assert answers(desk) == ["123456"]
    assert result.stderr.count("six digits, please") == 2


@pytest.mark.parametrize(("typed", "said"), [("y\n", "yes"), ("n\n", "no")])
def test_a_number_is_shown_and_confirmed_or_declined(shell: Shell, desk: Desk, typed: str, said: str) -> None:
    desk.answers["pair"] = [NUMBER, paired("number")]
    result = shell("ble", "pair", "A0:9E:1A:00:00:07", typed=typed)
    assert "042137" in result.stderr
    assert answers(desk) == [said]


def test_a_device_that_shows_nothing_is_paired_with_a_warning(shell: Shell, desk: Desk) -> None:
    desk.answers["pair"] = [PAIRING, paired("none")]
    assert "unchecked" in shell("ble", "pair", "bracelet").stdout
    assert answers(desk) == []


def test_a_refusal_is_told_with_its_cure(shell: Shell, desk: Desk) -> None:
    desk.answers["pair"] = [PAIRING, PASSKEY, refused("a wrong passkey", "try again")]
    result = shell("ble", "pair", "bracelet", typed="123456\n", code=1)
    assert "a wrong passkey" in result.stderr
    assert "try again" in result.stderr
    assert "paired" not in result.stdout


def test_an_answer_that_comes_too_late_leaves_the_last_word_to_the_pairing(shell: Shell, desk: Desk) -> None:
    desk.answers["answer_pairing"] = refused("the answer came too late", "start anew")
    desk.answers["pair"] = [PASSKEY, {"state": "withdrawn"}, refused("the time is up", "try again")]
    result = shell("ble", "pair", "bracelet", typed="123456\n", code=1)
    assert "came too late" in result.stderr
    assert "the time is up" in result.stderr


def test_programs_read_steps_and_write_answers(shell: Shell, desk: Desk) -> None:
    desk.answers["pair"] = [OPEN, NUMBER, paired("number")]
    result = shell("ble", "pair", "bracelet", "--json", typed="y\n")
    steps = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]  # not the typed echo
    assert [step["state"] for step in steps] == ["open", "number", "paired"]
    assert answers(desk) == ["yes"]
