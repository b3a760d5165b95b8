"""The units, users, folders and device rules, judged by systemd's own tools."""

import configparser
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = {"anju.service": 16, "anju-zigbee.service": 6}  # tenths of an exposure level that systemd-analyze reaches
PROGRAM = "/opt/anju/venv/bin/anju"


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False,
                          env=os.environ | {"SYSTEMD_COLORS": "0", "LC_ALL": "C"})


def staged(folder: Path, name: str, extra: str = "") -> Path:
    """A copy of a unit whose program exists on this machine."""
    program = folder / "anju"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = (SYSTEMD / name).read_text()
    assert text.count(PROGRAM) == 1
    unit = folder / name
    unit.write_text(text.replace(PROGRAM, str(program)).replace("[Install]", f"{extra}\n[Install]"))
    return unit


def settings_of(name: str) -> dict[str, list[str]]:
    """Every key of a unit's [Service] section with all its values."""
    values: dict[str, list[str]] = {}
    section = ""
    for line in (SYSTEMD / name).read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return values


def verified(unit: Path) -> str:
    done = run(tool("systemd-analyze"), "verify", "--man=no", str(unit))
    return done.stdout + done.stderr  # not the exit code: it is 0 for an unknown key


# -- units ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_to_say_about_a_unit(tmp_path: Path, name: str) -> None:
    assert verified(staged(tmp_path, name)) == ""


@pytest.mark.parametrize(("mistake", "told"), [
    ("WatchDogSecs=30", "'WatchDogSecs'"),
    ("RestartSec=soon", "Failed to parse"),
    ("SystemCallFilter=@everything", "@everything"),
])
def test_systemd_does_see_a_mistake(tmp_path: Path, mistake: str, told: str) -> None:
    assert told in verified(staged(tmp_path, "anju.service", mistake))


@pytest.mark.parametrize(("name", "level"), UNITS.items())
def test_a_unit_is_no_more_exposed_than_it_was(tmp_path: Path, name: str, level: int) -> None:
    done = run(tool("systemd-analyze"), "security", "--offline=true", "--no-pager", f"--threshold={level}",
               str(staged(tmp_path, name)))
    assert done.returncode == 0, done.stdout


def test_the_daemon_is_watched_and_never_given_up() -> None:
    daemon = settings_of("anju.service")
    assert (daemon["Type"], daemon["NotifyAccess"], daemon["WatchdogSec"]) == (["notify"], ["main"], ["30"])
    for name in UNITS:
        assert settings_of(name)["Restart"] == ["always"]
        assert "StartLimitIntervalSec=0" in (SYSTEMD / name).read_text()
    assert "BindsTo" not in (SYSTEMD / "anju-zigbee.service").read_text()


def test_no_unit_waits_for_the_network_or_the_clock() -> None:
    for name in UNITS:
        assert not re.search(r"network-online|time-sync|time-set", (SYSTEMD / name).read_text())


def test_the_units_share_folders_that_outlive_each_of_them() -> None:
    for name in UNITS:
        unit = settings_of(name)
        assert unit["RuntimeDirectory"] == unit["StateDirectory"] == unit["ConfigurationDirectory"] == ["anju"]
        assert unit["RuntimeDirectoryPreserve"] == ["yes"]


def test_devices_are_allowed_by_number_where_their_module_may_load_late() -> None:
    for name in UNITS:
        allowed = settings_of(name)["DeviceAllow"]
        assert {"char-188 rw", "char-166 rw"} <= set(allowed)
        assert [one for one in allowed if not re.fullmatch(r"char-\d+ rw", one)] in ([], ["char-gpiochip rw"])


# -- users and folders ------------------------------------------------------------------------------------------------

@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty system with our sysusers.d and tmpfiles.d installed, as far as a package would."""
    for folder in ("sysusers.d", "tmpfiles.d"):
        target = tmp_path / "usr/lib" / folder
        target.mkdir(parents=True)
        shutil.copy(SYSTEMD / folder / "anju.conf", target)
    (tmp_path / "etc").mkdir()
    return tmp_path


def test_the_user_and_every_group_that_a_unit_names_are_made(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("making users in a folder takes root")
    done = run(tool("systemd-sysusers"), f"--root={root}")
    assert done.returncode == 0, done.stderr
    user = next(line for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("anju:"))
    assert user.endswith(":/var/lib/anju:/usr/sbin/nologin")
    groups = {line.partition(":")[0] for line in (root / "etc/group").read_text().splitlines()}
    for name in UNITS:
        unit = settings_of(name)
        assert {*unit["Group"], *unit["SupplementaryGroups"][0].split()} <= groups
        assert unit["User"] == ["anju"]


def test_the_configuration_is_root_s_to_write_and_the_service_s_to_read(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving folders away takes root")
    run(tool("systemd-sysusers"), f"--root={root}")
    (root / "etc/anju").mkdir()
    for name in ("anju.toml", "gateway.key"):
        (root / "etc/anju" / name).write_text("")
    done = run(tool("systemd-tmpfiles"), "--create", f"--root={root}")
    assert (done.returncode, done.stderr) == (0, "")
    anju = {kind: next(int(line.split(":")[2]) for line in (root / "etc" / kind).read_text().splitlines()
                       if line.startswith("anju:")) for kind in ("passwd", "group")}
    for path, mode, uid in (("etc/anju", 0o750, 0), ("etc/anju/anju.toml", 0o640, 0),
                            ("etc/anju/gateway.key", 0o640, 0), ("var/lib/anju", 0o750, anju["passwd"])):
        status = (root / path).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, uid, anju["group"]), path


# -- device rules -----------------------------------------------------------------------------------------------------

def test_device_rules_are_well_formed() -> None:
    path = SYSTEMD / "udev/99-anju.rules"
    token = r'(?:[A-Z_]+|[A-Z]+\{[^{}]+\})(?:==|!=|=|\+=|:=)"[^"]*"'
    rules = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert rules
    for rule in rules:
        assert re.fullmatch(rf"{token}(?:, {token})*", rule), rule
    groups = set(re.findall(r'GROUP="([^"]+)"', path.read_text()))
    made = {line.split()[1] for line in (SYSTEMD / "sysusers.d/anju.conf").read_text().splitlines() if line[:1] == "g"}
    assert groups <= made


def test_udev_finds_nothing_wrong_with_the_rules() -> None:
    done = run(tool("udevadm"), "verify", str(SYSTEMD / "udev/99-anju.rules"))
    if "Unknown command verb" in done.stderr:
        pytest.skip("this udevadm cannot verify (systemd before 254)")
    assert done.returncode == 0, done.stderr


def test_a_unit_file_is_ini() -> None:
    for name in UNITS:
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
        parser.read(SYSTEMD / name)
        assert parser.sections() == ["Unit", "Service", "Install"]
