"""What is shipped so that the gateway may recover its radio: the unit that rebinds an adapter, and the right to ask."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from drivers.bus.ble import systemd
from drivers.bus.ble.ladder import Rung

SYSTEMD = Path(__file__).parents[3] / "systemd"
UNIT = SYSTEMD / "anju-bluetooth-rebind@.service"
RULES = SYSTEMD / "polkit/50-anju.rules"


def rebind(sys: Path) -> subprocess.CompletedProcess[str]:
    """Run what the unit runs for hci0, on a /sys of the test's own, without the pause."""
    text = UNIT.read_text().replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("ExecStart=")).partition("=")[2]
    line = line.replace("%i", "hci0").replace("%%", "%").replace("$$", "$")
    line = line.replace("/sys/", f"{sys}/").replace("sleep 1", ":")
    return subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=10, check=False)


def driver(sys: Path, bus: str, name: str) -> Path:
    folder = sys / f"bus/{bus}/drivers/{name}"
    folder.mkdir(parents=True)
    for file in ("bind", "unbind"):
        (folder / file).write_text("")
    return folder


def device(path: Path, of: Path | None = None) -> Path:
    path.mkdir(parents=True)
    if of is not None:
        (path / "driver").symlink_to(of)
    return path


def adapter(sys: Path, at: Path) -> None:
    (sys / "class/bluetooth/hci0").mkdir(parents=True)
    (sys / "class/bluetooth/hci0/device").symlink_to(at)


def told(of: Path) -> tuple[str, str]:
    return (of / "unbind").read_text().strip(), (of / "bind").read_text().strip()


def test_a_usb_adapter_is_rebound_as_a_whole(tmp_path: Path) -> None:
    usb, btusb = driver(tmp_path, "usb", "usb"), driver(tmp_path, "usb", "btusb")
    stick = device(tmp_path / "devices/pci/usb1/1-1/1-1.4", usb)
    interface = device(stick / "1-1.4:1.0", btusb)
    (interface / "bInterfaceNumber").write_text("00\n")
    adapter(tmp_path, interface)
    assert rebind(tmp_path).returncode == 0
    assert told(usb) == ("1-1.4", "1-1.4")
    assert told(btusb) == ("", "")


def test_the_adapter_of_a_pi_is_rebound_on_its_uart(tmp_path: Path) -> None:
    uart = driver(tmp_path, "serial", "hci_uart_bcm")
    adapter(tmp_path, device(tmp_path / "devices/soc/fe201000.serial/serial0/serial0-0", uart))
    assert rebind(tmp_path).returncode == 0
    assert told(uart) == ("serial0-0", "serial0-0")


@pytest.mark.parametrize("bound", [True, False])
def test_the_adapter_of_a_pi_that_has_vanished_is_bound_again(tmp_path: Path, bound: bool) -> None:
    uart = driver(tmp_path, "serial", "hci_uart_bcm")
    at = device(tmp_path / "devices/soc/fe201000.serial/serial0/serial0-0", uart if bound else None)
    (tmp_path / "bus/serial/devices").mkdir(parents=True)
    (tmp_path / "bus/serial/devices/serial0-0").symlink_to(at)
    assert rebind(tmp_path).returncode == 0
    assert told(uart) == ("serial0-0" if bound else "", "serial0-0")


def test_where_there_is_no_adapter_at_all_the_unit_fails(tmp_path: Path) -> None:
    assert rebind(tmp_path).returncode != 0


def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    staged = tmp_path / "anju-bluetooth-rebind@hci0.service"
    staged.write_text(UNIT.read_text())
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(staged)], capture_output=True, text=True,
                          timeout=50, check=False)
    assert done.stdout + done.stderr == ""


async def test_the_service_may_ask_for_what_it_asks_for_and_for_nothing_else(monkeypatch) -> None:
    asked = set()

    async def ask(verb: str, unit: str) -> None:
        asked.add(f"{verb.removesuffix('Unit').lower()} {unit}")

    monkeypatch.setattr(systemd, "_ask", ask)
    for name in ("hci0", "hci1"):
        actions = systemd.actions(name)
        assert set(actions) == {Rung.RESTART, Rung.REBIND, Rung.REBOOT}
        for action in actions.values():
            await action()
    rules = RULES.read_text()
    assert set(re.findall(r'"([a-z]+ [^"]+)": true', rules)) == asked
    assert 'subject.user == "anju"' in rules
    assert rules.count("polkit.Result.YES") == 1
