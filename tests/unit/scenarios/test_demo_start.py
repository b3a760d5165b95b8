"""A demo that cannot start says why in one message."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hil.cli import app
from hil.resources.process import ProcessFailed, Program
from hil.strategies.gateway import Gateway
from hil.strategies.home import UNIX_PATH_BYTES, Home, too_long


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["demo", *arguments], env={"COLUMNS": "400"})
    return result.exit_code, result.output


@pytest.mark.parametrize(("option", "known"), [("--language", "zh, en"), ("--scenario", "live, tour")])
def test_an_unknown_choice_is_refused_with_the_known_ones(option: str, known: str) -> None:
    code, output = said(option, "fr")
    assert code == 2
    assert f"'fr' is none of {known}" in output


def test_a_folder_whose_sockets_would_have_too_long_paths_is_refused_before_it_is_made(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    code, output = said("--keep", str(folder))
    assert code == 2
    assert "too long for the Unix sockets" in output
    assert not folder.exists()


def test_the_longest_folder_still_holds_every_socket() -> None:
    room = UNIX_PATH_BYTES - len("/run/host-zigbee.sock")
    assert too_long(Path("/" + "x" * (room - 1))) is None
    assert "1 bytes too long" in str(too_long(Path("/" + "x" * room)))
    assert too_long(Path("/" + "家" * (room // 3 + 1)))


async def test_a_device_that_does_not_come_up_is_one_plain_error(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start_gpio_only(self: Home, name: str, module: str, *arguments: object) -> dict[str, object]:
        if name != "gpio":
            return {"port": 1, "direct_port": 1, "dbus_address": "", "hci": ""}
        program = Program.module("hil.devices.gpio", "--no-such-option", log=self.folder / "log" / "gpio.log")
        self.programs[name] = program
        return await program.start_ready()

    monkeypatch.setattr(Home, "_start", start_gpio_only)
    with pytest.raises(ProcessFailed, match=r"hil\.devices\.gpio did not come up: .*required: --control.*gpio\.log"):
        async with Home(tmp_path).kit():
            pass


async def test_a_gateway_that_is_never_ready_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    gateway = Gateway(tmp_path / "none.toml", tmp_path / "run", tmp_path / "gateway.log", {})
    try:
        with pytest.raises(ProcessFailed, match=r"anju was not ready after 3 s: .*none\.toml"):
            await gateway.start(timeout_s=3.0)
    finally:
        await gateway.program.stop()
