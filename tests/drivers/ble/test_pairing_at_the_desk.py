"""`anju ble pair` as a technician types it, through the control socket, to a bracelet behind BlueZ's D-Bus."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.app import pairing
from gateway.ops.control import ControlServer, Refused
from gateway.spi import Addressed, Advertiser
from hil.devices.bracelet.bonded import ADDRESS, BATTERY_PERCENT
from tests.drivers.ble.kit import NEEDS_DBUS, until
from tests.drivers.ble.test_pairing import World, battery, world

DEVICES = {"band": SimpleNamespace(settings=Addressed(address=ADDRESS)),
           "tag": SimpleNamespace(settings=Advertiser(address=ADDRESS)),
           "door": SimpleNamespace(settings=SimpleNamespace(ieee="00:12"))}
CONFIG: Any = SimpleNamespace(devices=DEVICES)


@asynccontextmanager
async def desk(w: World, folder: Path) -> AsyncIterator[Path]:
    """A control socket before this bus; yields the configuration that leads there."""
    daemon: Any = SimpleNamespace(fleet=SimpleNamespace(config=CONFIG, pairing=lambda _bus: w.bus))
    verbs = {"pair": lambda request: pairing.pair(daemon, request),
             "answer_pairing": lambda request: pairing.answer(daemon, request)}
    config = folder / "anju.toml"
    config.write_text(f'[gateway]\nid = "any"\nrun_dir = "{folder}"\n')
    server = ControlServer(folder / "control.sock", verbs, print)
    task = asyncio.ensure_future(server.run())
    await server.tried.wait()
    try:
        yield config
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def anju_ble_pair(config: Path, device: str, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.app", "ble", "pair", device, "--config", str(config), "--json", *more,
        stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        yield command
    finally:
        if command.returncode is None:
            command.kill()
        await command.communicate()


async def state(command: asyncio.subprocess.Process, wanted: str) -> dict[str, Any]:
    """The next step of this kind."""
    assert command.stdout is not None
    async with asyncio.timeout(20):
        while line := await command.stdout.readline():
            step: dict[str, Any] = json.loads(line)
            if step.get("state") == wanted or wanted in step:
                return step
    raise AssertionError(f"it ended before {wanted}")


@NEEDS_DBUS
async def test_the_digits_on_the_bracelet_typed_into_the_command_bond_it(tmp_path: Path) -> None:
    async with world() as w, desk(w, tmp_path) as config, anju_ble_pair(config, "band") as command:
        await state(command, "passkey")
        command.stdin.write(f"{w.band.display.shown}\n".encode())
        assert (await state(command, "paired"))["check"] == "passkey"
        assert await command.wait() == 0
        assert await battery(w) == BATTERY_PERCENT


@NEEDS_DBUS
async def test_wrong_digits_end_the_command_with_reason_and_cure(tmp_path: Path) -> None:
    async with world() as w, desk(w, tmp_path) as config, anju_ble_pair(config, "band") as command:
        await state(command, "passkey")
        command.stdin.write(f"{w.another(None)}\n".encode())
        told = await state(command, "error")
        assert "wrong passkey" in told["error"]
        assert "try again" in told["cure"]
        assert await command.wait() == 1
        assert not w.bonded


@NEEDS_DBUS
async def test_a_command_that_is_killed_leaves_no_open_window(tmp_path: Path) -> None:
    async with world() as w, desk(w, tmp_path) as config:
        async with anju_ble_pair(config, ADDRESS, "--seconds", "600") as command:
            await state(command, "passkey")
            command.kill()
        await until(lambda: not w.bus._pairing.concerns(ADDRESS))
        await until(lambda: not w.band.connected)
        assert not w.bonded


def test_a_device_is_named_as_configured_or_by_its_address() -> None:
    assert pairing.address_of(CONFIG, "band") == ADDRESS
    assert pairing.address_of(CONFIG, "aa:bb:cc:00:11:22") == "aa:bb:cc:00:11:22"
    for name, told in (("tag", "only heard"), ("door", "neither"), ("nobody", "neither"), ("aa:bb:cc:0:11", "neither")):
        with pytest.raises(Refused, match=told):
            pairing.address_of(CONFIG, name)
