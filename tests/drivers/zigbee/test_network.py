"""The network itself: who may join, which stick is taken, and how it comes to a new gateway."""

import asyncio
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.zigbee import BUS, ZigbeeSettings, arranged, backup, database, install_code
from gateway.spi import BusUnavailable
from hil.devices.zigbee.install_code import link_key
from hil.devices.zigbee.profiles import INSTALL_CODE
from tests.drivers.zigbee.bench import DOOR, PATIENCE_S, SMOKE, opened, running, status, stick, until

CODED = "00:15:8d:00:00:00:00:aa"
PLAIN = f"{CODED} 83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5"
PASSPHRASE = "one two three four"
NETWORK = {"extended_pan_id": "0011223344556677", "channel": 15, "network_key": {"key": "ff" * 16},
           "metadata": {"internal": {"creation_time": "2026-11-24T00:00:00+00:00"}}}


@pytest.mark.parametrize("text", [
    PLAIN, PLAIN.lower(), "00158D00000000AA 83FED3407A939723A5C639B26916D505C3B5",
    "Z:00158D00000000AA$I:83FED3407A939723A5C639B26916D505C3B5$M:SZ-T04",
    "G$M:69775$S:680S00003915$D:0000000017B2335C%Z$A:00158D00000000AA$I:83FED3407A939723A5C639B26916D505C3B5"])
def test_an_install_code_is_read_as_printed_or_from_its_qr_code(text: str) -> None:
    assert install_code.parse(text) == (CODED, INSTALL_CODE)


@given(st.integers(0, 143))
def test_one_wrong_bit_of_an_install_code_is_noticed(bit: int) -> None:
    wrong = bytearray(INSTALL_CODE)
    wrong[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="read it off the device again"):
        install_code.parse(f"{CODED} {wrong.hex()}")


def test_a_mistyped_install_code_is_refused_by_the_configuration() -> None:
    with pytest.raises(msgspec.ValidationError, match="install code"):
        msgspec.convert({"port": "/dev/t", "install_codes": ["83FE"]}, BUS.settings)


def test_the_benchs_key_of_a_code_is_that_of_the_specification() -> None:
    assert link_key(INSTALL_CODE).hex().upper() == "66B6900981E1EE3CA4206B6B861C02BB"  # BDB 3.0.1, 10.1.3


@pytest.mark.parametrize("known", [True, False])
async def test_a_device_with_an_install_code_joins_only_where_it_is_known(home: Path, known: bool) -> None:
    settings = ZigbeeSettings(port=str(home / "tty"), install_codes=[PLAIN] if known else [])
    async with stick(home) as one, running(home, settings) as bus:
        await until("up", bus)
        looking = asyncio.create_task(bus.discover(3.0))
        async with asyncio.timeout(PATIENCE_S):
            while not (await one("stats"))["open"]:
                await asyncio.sleep(0.05)
        await one("join", profile="coded_door", ieee=CODED)
        found = {device["settings"]["ieee"] for device in await looking if device["new"]}
        assert found == ({CODED} if known else set())


async def foreign(home: Path, folder: Path) -> str:
    """Put a stick with another home's network into `home`; return its address."""
    folder.mkdir()
    async with stick(folder, "--stick-ieee", "00:12:4b:00:77:77:77:77"), running(folder) as bus:
        await until("up", bus)
    (folder / "nvram.json").replace(home / "nvram.json")
    return "00:12:4b:00:77:77:77:77"


async def test_a_foreign_stick_is_overwritten_only_where_it_is_named(home: Path, tmp_path: Path) -> None:
    async with stick(home), running(home) as bus:
        await until("up", bus)
        before = bus.health()
    address = await foreign(home, tmp_path / "foreign")
    async with stick(home, "--stick-ieee", address):
        async with running(home, ZigbeeSettings(port=str(home / "tty"), overwrite_stick=DOOR)) as bus:
            await until("down", bus)
            with pytest.raises(BusUnavailable, match=f'overwrite_stick = "{address}"'):
                async with opened(bus, DOOR):
                    pass
        async with running(home, ZigbeeSettings(port=str(home / "tty"), overwrite_stick=address)) as bus:
            await until("up", bus)
            for key in ("channel", "pan", "extended_pan", "stick", "devices"):
                assert bus.health()[key] == before[key]


async def test_the_sealed_backup_brings_the_network_to_a_new_gateway_and_a_blank_stick(
        home: Path, tmp_path: Path) -> None:
    settings = ZigbeeSettings(port=str(home / "tty"), backup_passphrase=PASSPHRASE)
    async with stick(home), running(home, settings) as bus:
        await until("up", bus)
        async with asyncio.timeout(PATIENCE_S):
            while not bus.health()["backup"].startswith("/"):
                await asyncio.sleep(0.05)
        before = bus.health()
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy(home / backup.NAME, new)
    flat = json.loads((home / "nvram.json").read_text())["flat"]  # the devices stay on the walls
    wrong = ZigbeeSettings(port=str(new / "tty"), backup_passphrase="not the passphrase")
    async with stick(new, "--stick-ieee", "00:12:4b:00:aa:bb:cc:dd"):
        async with running(new, wrong) as bus:
            await until("down", bus)
            assert "passphrase does not fit" in bus.health()["reason"]
        for file in new.glob("zigbee.db*"):
            file.unlink()
    nvram = json.loads((new / "nvram.json").read_text()) | {"flat": flat}
    (new / "nvram.json").write_text(json.dumps(nvram))
    async with stick(new) as one, running(new, ZigbeeSettings(
            port=str(new / "tty"), backup_passphrase=PASSPHRASE)) as bus:
        await until("up", bus)
        for key in ("channel", "pan", "extended_pan", "stick"):
            assert bus.health()[key] == before[key]
        told = await one("zone", ieee=DOOR, bits=1)
        async with opened(bus, DOOR) as port:
            await status(port, 1, told["mono_s"])


def test_a_sealed_backup_shows_no_key_and_opens_only_with_its_passphrase(tmp_path: Path) -> None:
    assert backup.unseal(tmp_path, PASSPHRASE) is None
    backup.keep(tmp_path, PASSPHRASE, NETWORK)
    assert "ff" * 16 not in (tmp_path / backup.NAME).read_text()
    assert backup.unseal(tmp_path, PASSPHRASE) == NETWORK
    with pytest.raises(backup.BackupError, match="passphrase"):
        backup.unseal(tmp_path, PASSPHRASE + "x")


@pytest.mark.parametrize("damage", ["", "{}", "[]", "no json", '{"salt": "zz", "nonce": "00", "sealed": "00"}',
                                    '{"salt": "00", "nonce": "00", "sealed": "00"}'])
def test_a_damaged_backup_is_told_with_a_cure(tmp_path: Path, damage: str) -> None:
    (tmp_path / backup.NAME).write_text(damage)
    with pytest.raises(backup.BackupError) as told:
        backup.unseal(tmp_path, PASSPHRASE)
    assert backup.NAME in told.value.cure


def test_what_a_backup_says_outside_cannot_be_changed(tmp_path: Path) -> None:
    backup.keep(tmp_path, PASSPHRASE, NETWORK)
    told = json.loads((tmp_path / backup.NAME).read_text()) | {"channel": 20}
    (tmp_path / backup.NAME).write_text(json.dumps(told))
    with pytest.raises(backup.BackupError):
        backup.unseal(tmp_path, PASSPHRASE)


@pytest.mark.parametrize("content", ["", "[", "3", "null"])
def test_a_damaged_list_of_what_is_arranged_costs_only_asking_again(tmp_path: Path, content: str) -> None:
    (tmp_path / arranged.NAME).write_text(content)
    known = arranged.Arranged(tmp_path)
    assert DOOR not in known
    known.add(DOOR)
    assert DOOR in arranged.Arranged(tmp_path)
    known.discard(DOOR)
    assert DOOR not in arranged.Arranged(tmp_path)


async def test_a_power_cut_right_after_a_join_keeps_the_device_and_makes_up_for_the_rest(tmp_path: Path) -> None:
    async with stick(tmp_path, "--devices", "door") as one:
        async with running(tmp_path) as bus:
            while not [device for device in await bus.discover(1.0) if device["ready"]]:
                pass
        for file in (arranged.NAME, f"{database.NAME}.copy"):
            (tmp_path / file).unlink(missing_ok=True)  # what had not reached the disk
        ieee = (await one("devices"))["devices"][0]["ieee"]
        async with running(tmp_path) as bus, opened(bus, ieee) as port:
            told = await one("zone", ieee=ieee, bits=1)
            await status(port, 1, told["mono_s"])
            async with asyncio.timeout(PATIENCE_S):
                while not (tmp_path / arranged.NAME).exists() or not (
                        await one("battery", ieee=ieee, half_percent=100))["on_air"]:
                    await asyncio.sleep(0.1)


async def test_a_stick_that_answers_half_is_given_up_and_taken_back_when_it_is_well(home: Path) -> None:
    async with stick(home) as one, running(home) as bus:
        await until("up", bus)
        await one("fault", half=0.5)
        async with asyncio.timeout(PATIENCE_S):
            while not bus.health()["losses"]:
                await asyncio.sleep(0.05)
        await one("fault")
        await until("up", bus)
        async with opened(bus, DOOR) as port:
            told = await one("zone", ieee=DOOR, bits=1)
            await status(port, 1, told["mono_s"])
        assert bus.health()["errors"] == 0


async def test_two_devices_that_claim_one_address_are_told_apart_again_as_soon_as_one_moves(home: Path) -> None:
    async with stick(home) as one, running(home) as bus:
        await until("up", bus)
        nwk = next(device["nwk"] for device in (await one("devices"))["devices"] if device["ieee"] == DOOR)
        async with opened(bus, DOOR) as door, opened(bus, SMOKE, "smoke") as smoke:
            await one("announce", ieee=SMOKE, nwk=nwk)
            async with asyncio.timeout(PATIENCE_S):
                while not bus.health()["address_conflicts"]:
                    await asyncio.sleep(0.02)
            told = await one("zone", ieee=SMOKE, bits=1)
            await status(smoke, 1, told["mono_s"])  # the last to announce it has it
            await one("announce", ieee=DOOR)
            told = await one("zone", ieee=DOOR, bits=1)
            await status(door, 1, told["mono_s"])
            told = await one("zone", ieee=SMOKE, bits=4)
            await status(smoke, 4, told["mono_s"])
