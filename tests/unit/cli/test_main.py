"""The command as a whole: daemons start lean, configurations are checked."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import __version__
from gateway.cli.main import build, daemon
from tests.unit.cli.conftest import Shell, catalogue


@pytest.mark.parametrize(("arguments", "wanted"), [
    (["run"], (Path("/etc/anju/anju.toml"), None)),
    (["run", "--config", "a.toml"], (Path("a.toml"), None)),
    (["host", "zigbee"], (Path("/etc/anju/anju.toml"), "zigbee")),
    (["host", "zigbee", "--config", "a.toml"], (Path("a.toml"), "zigbee")),
    (["run", "--help"], None), (["host"], None), (["host", "--help"], None), (["status"], None), ([], None),
    (["run", "--config"], None), (["run", "--config", "--help"], None), (["host", "a", "b"], None)])
def test_the_plain_forms_of_the_daemons_are_known(arguments: list[str], wanted: tuple[Path, str | None] | None):
    assert daemon(arguments, {}) == wanted


def test_the_environment_names_the_configuration_where_the_command_does_not():
    assert daemon(["run"], {"ANJU_CONFIG": "b.toml"}) == (Path("b.toml"), None)
    assert daemon(["run", "--config", "a"], {"ANJU_CONFIG": "b"}) == (Path("a"), None)


@pytest.mark.parametrize(("arguments", "code", "wanted"), [
    (["anju", "run", "--config", "a.toml"], 7, (Path("a.toml"), None)),
    (["anju", "host", "zigbee", "--config", "a.toml"], 8, (Path("a.toml"), "zigbee")),
    (["anju", "host", "--config", "a.toml", "zigbee"], 8, (Path("a.toml"), "zigbee"))])
def test_run_and_host_start_what_was_handed_in_and_end_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, wanted: tuple[Path, str | None]
):
    started: list[tuple[Path, str | None]] = []

    def run(config: Path) -> int:
        started.append((config, None))
        return 7

    def host(config: Path, bus: str) -> int:
        started.append((config, bus))
        return 8

    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as end:
        build(run=run, host=host, catalogue=catalogue)()
    assert end.value.code == code
    assert started == [wanted]


def test_a_daemon_does_not_load_what_draws_for_people():
    program = ("import sys; from gateway.cli.main import build\n"
               "def run(config): print(sorted({'typer', 'click', 'rich'} & set(sys.modules))); return 0\n"
               "sys.argv = ['anju', 'run']; build(run=run, host=None, catalogue=None)()")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_good_configuration_is_ok(shell: Shell):
    assert "devices: bracelet" in shell("config", "check").stdout
    assert shell.json("config", "check", shell.config)["devices"] == ["bracelet"]


def test_every_mistake_is_listed_and_the_exit_code_is_1(shell: Shell, tmp_path: Path):
    bad = tmp_path / "bad.toml"
    bad.write_text('[gateway]\nid = "CQ"\n[city]\nprt = 1\n[devices.x]\ndriver = "polr"\n')
    text = shell("config", "check", bad, code=1).stderr
    for words in ("gateway.id", "city.host: missing", "did you mean port?", "did you mean polar?", "4 problems"):
        assert words in text
    told = shell.json("config", "check", bad, code=1)
    assert (told["ok"], len(told["problems"]), told["error"]) == (False, 4, "4 problems")


def test_the_version_is_told(shell: Shell):
    assert shell("--version").stdout == f"anju {__version__}\n"


def test_a_strict_check_opens_the_files_that_the_configuration_names(shell: Shell, tmp_path: Path):
    text = shell.config.read_text().replace("[bus", f'key_file = "{tmp_path}/key"\n[bus')
    shell.config.write_text(text)
    assert "city.key_file" in shell("config", "check", code=1).stderr
    (tmp_path / "key").touch()
    shell("config", "check")


def test_without_a_verb_the_verbs_are_listed(shell: Shell):
    text = shell(code=2).output
    for verb in ("status", "devices", "config", "tail", "outbox", "test", "run", "host"):
        assert verb in text
