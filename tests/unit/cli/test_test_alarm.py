"""`anju test alarm`."""

from tests.unit.cli.conftest import Shell
from tests.unit.cli.desk import Desk, refused

RAISED, SENT, RECEIVED = ({"state": state, "after_ms": ms} for state, ms in (
    ("raised", 0.3), ("sent", 12.25), ("received", 48.1)))


def test_every_step_is_shown_with_its_latency(shell: Shell, desk: Desk):
    desk.answers["test_alarm"] = [RAISED, SENT, RECEIVED]
    lines = shell("test", "alarm", "--seconds", 30).stdout.splitlines()
    assert [line.strip() for line in lines] == [
        "0.3 ms  raised by the gateway", "12.2 ms  sent: the broker has it", "48.1 ms  received by the centre"]
    assert desk.asked == [{"verb": "test_alarm", "seconds": 30.0}]


def test_a_centre_that_does_not_answer_is_exit_code_1_and_the_steps_until_then_are_shown(shell: Shell, desk: Desk):
    desk.answers["test_alarm"] = [RAISED, SENT, refused("the centre has not answered within 60 s", "look at the city")]
    result = shell("test", "alarm", code=1)
    assert "sent: the broker has it" in result.stdout
    assert "received" not in result.stdout
    assert "has not answered within 60 s" in result.stderr
    assert "look at the city" in result.stderr


def test_a_gateway_that_dies_meanwhile_is_told(shell: Shell, desk: Desk):
    desk.answers["test_alarm"] = [RAISED, SENT]
    result = shell("test", "alarm", code=1)
    assert "sent: the broker has it" in result.stdout
    assert "the gateway went away before the centre had answered" in result.stderr
    assert "journalctl -u anju" in result.stderr
    assert shell.json("test", "alarm", code=1)["error"] == "the gateway went away before the centre had answered"


def test_an_alarm_that_was_cancelled_before_the_centre_had_it_is_no_success(shell: Shell, desk: Desk):
    desk.answers["test_alarm"] = [RAISED, {"state": "cancelled", "after_ms": 900}]
    result = shell("test", "alarm", code=1)
    assert "cancelled" in result.stdout
    assert "the test alarm was cancelled" in result.stderr


def test_json_tells_the_steps_and_whether_it_was_received(shell: Shell, desk: Desk):
    desk.answers["test_alarm"] = [RAISED, RECEIVED]
    assert shell.json("test", "alarm") == {"received": True, "steps": [RAISED, RECEIVED]}
    desk.answers["test_alarm"] = [RAISED, refused("no answer", "wait")]
    assert shell.json("test", "alarm", code=1) == {
        "received": False, "steps": [RAISED], "error": "no answer", "cure": "wait"}
