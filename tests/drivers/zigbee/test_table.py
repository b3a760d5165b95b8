"""Every product of the table on the emulated stick: it joins, is enrolled, and what it says comes as what it means."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.bus.zigbee.bus import ZigbeeBus
from drivers.devices.zigbee_models import MODELS, find
from drivers.testkit.link import RecordedLink
from gateway.model.finding import FallSource
from gateway.model.light import LightPattern
from gateway.model.reading import Binary, BinaryKind, Button, FallFlag, Measurement, Press, Quantity, QuantityKind
from gateway.spi import Light, LinkLost
from gateway.spi.driver import AnyDriver
from hil.devices.zigbee.profiles import PROFILES
from tests.drivers.zigbee.bench import PATIENCE_S, Stick, running, stick

DRIVERS: dict[str, AnyDriver] = {
    point.name: point.load() for point in entry_points(group="gateway.drivers")
    if point.value.startswith("drivers.") and point.load().bus == "zigbee"}
K, Q = BinaryKind, QuantityKind


@dataclass
class Step:
    """Something that happens to a device, and what must be told of it. `op`: of the bench's control socket."""

    op: str
    given: dict[str, Any]
    told: Sequence[Measurement]
    on_air: bool = True


def zone(bits: int, *told: Measurement) -> Step:
    return Step("zone", {"bits": bits}, told)


def on(kind: BinaryKind) -> Binary:
    return Binary(kind, True)


def off(kind: BinaryKind) -> Binary:
    return Binary(kind, False)


def attribute(cluster: int, number: int, value: int, *told: Measurement, on_air: bool = True) -> Step:
    return Step("attribute", {"cluster": cluster, "attribute": number, "number": value}, told, on_air)


BATTERY = Step("battery", {"half_percent": 77}, [Quantity(Q.BATTERY, 38.5)])
LUMI_BLOB = Step("report", {"cluster": 0, "attribute": 0xFF01, "type": 0x42, "hex": "0a 0121 7d0b 0328 17 0a21 0000"},
                 [Quantity(Q.BATTERY, 60.7)])  # 2941 mV
SOS = Press(Button.SOS)


def alarm(kind: BinaryKind) -> list[Step]:
    """An IAS alarm from beginning to end, its own test, its cover and its battery."""
    return [zone(0x01, on(kind)), zone(0x00, off(kind)), zone(0x04, on(K.TAMPER)), zone(0x08, off(K.TAMPER),
            on(K.BATTERY_LOW)), zone(0x40, on(K.FAULT)), zone(0x00, off(K.FAULT)), zone(0x101, on(K.TEST)),
            zone(0x00, off(K.TEST)), BATTERY]


def points(*given: tuple[int, int, int], told: Sequence[Measurement]) -> Step:
    return Step("points", {"points": given}, told)


FALL, NO_FALL = FallFlag(FallSource.RADAR, True), FallFlag(FallSource.RADAR, False)
STORIES: dict[str, list[Step]] = {
    "door": alarm(K.CONTACT),
    "tuya_door": alarm(K.CONTACT),
    "sonoff_door": alarm(K.CONTACT),
    "aqara_door": [attribute(6, 0, 1, on(K.CONTACT)), attribute(6, 0, 0, off(K.CONTACT)), LUMI_BLOB],
    "smoke": alarm(K.SMOKE),
    "frient_smoke": [*alarm(K.SMOKE), attribute(0x0402, 0, 2275, Quantity(Q.TEMPERATURE, 22.75))],
    "aqara_smoke": [*alarm(K.SMOKE)[:-1], Step("report", {"cluster": 0xFCC0, "attribute": 0xF7, "type": 0x41,
                    "hex": "04 0121 b80b"}, [Quantity(Q.BATTERY, 100.0)])],
    "tuya_smoke": [points((1, 4, 0), told=[on(K.SMOKE)]), points((1, 4, 1), (14, 4, 0), told=[
                   off(K.SMOKE), on(K.BATTERY_LOW)]), points((4, 1, 1), (15, 2, 80), told=[
                   on(K.TAMPER), Quantity(Q.BATTERY, 80.0)])],
    "gas": alarm(K.GAS)[:-1],
    "co": alarm(K.CO),
    "water": alarm(K.WATER),
    "sos": [zone(0x01, SOS), zone(0x01, SOS), zone(0x03, SOS), zone(0x0C, on(K.TAMPER), on(K.BATTERY_LOW)), BATTERY],
    "feibit_sos": [zone(0x02, SOS), zone(0x00), zone(0x02, SOS), BATTERY],
    "ace_sos": [Step("press", {"cluster": 0x0501, "command": 2}, [SOS]), zone(0x08, on(K.BATTERY_LOW)), BATTERY],
    "motion": [zone(0x01, on(K.MOTION)), zone(0x00, off(K.MOTION)), zone(0x04, on(K.TAMPER)), BATTERY],
    "aqara_motion": [attribute(0x0406, 0, 1, on(K.MOTION)), LUMI_BLOB],
    "philips_motion": [attribute(0x0406, 0, 1, on(K.MOTION)), attribute(0x0406, 0, 0, off(K.MOTION)), BATTERY],
    "presence": [attribute(0x0406, 0, 1, on(K.PRESENCE)), attribute(0x0406, 0, 0, off(K.PRESENCE))],
    "bed": [zone(0x01, on(K.BED)), zone(0x00, off(K.BED)), BATTERY],
    "seat": [zone(0x01, on(K.BED)), zone(0x00, off(K.BED)), BATTERY],
    "fall_owon": [attribute(0xFD00, 0, 5, FALL, on(K.PRESENCE)), attribute(0xFD00, 0, 3, NO_FALL, on(K.BED)),
                  attribute(0xFD00, 2, 15, Quantity(Q.RESPIRATION, 15.0)), attribute(0xFD00, 0, 0, off(K.PRESENCE))],
    "fall_heiman": [attribute(0x0406, 0, 0x03, NO_FALL, on(K.PRESENCE), on(K.MOTION)),
                    attribute(0x0406, 0, 0x11, NO_FALL), attribute(0x0406, 0, 0x21, FALL)],
    "plug": [attribute(0x0B04, 0x050B, 18500, Quantity(Q.POWER, 1850.0))],
    "asked_plug": [attribute(0x0B04, 0x050B, 61, Quantity(Q.POWER, 61.0), on_air=False),
                   attribute(0x0702, 0, 7, Quantity(Q.ENERGY, 7.0), on_air=False)],
    "siren": [zone(0x04, on(K.TAMPER))],
    "neo_siren": [points((105, 2, 215), (106, 2, 40), told=[
                  Quantity(Q.TEMPERATURE, 21.5), Quantity(Q.HUMIDITY, 40.0)])],
    "button": [Step("press", {"cluster": 6, "command": 0xFD, "hex": "00"}, [Press(Button.SERVICE)]), BATTERY],
}


@dataclass
class Told:
    """One device with its driver's session."""

    profile: str
    ieee: str
    link: RecordedLink[Any]
    session: asyncio.Task[None] = field(init=False)


def _came(link: RecordedLink[Any], since: int, step: Step) -> bool:
    return all(value in link.values[since:] for value in step.told)


async def play(one: Stick, told: Told) -> None:
    for step in STORIES[told.profile]:
        before = len(told.link.said)
        async with asyncio.timeout(PATIENCE_S):
            while not (await one(step.op, ieee=told.ieee, **step.given))["on_air"] and step.on_air:
                await asyncio.sleep(0.2)  # not everything is agreed with it yet
        try:
            await told.link.until(partial(_came, told.link, before, step), PATIENCE_S)
        except TimeoutError:
            came = told.link.values[before:]
            raise AssertionError(f"{told.profile}: of {step} came {came}, {told.session}") from None


async def joined(one: Stick, bus: ZigbeeBus) -> dict[str, dict[str, Any]]:
    """Let every device in; return what discovery says of each profile."""
    addresses = {device["ieee"]: device["profile"] for device in (await one("devices"))["devices"]}
    found: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(100.0):
        while len(found) < len(addresses) or not all(one["ready"] for one in found.values()):
            found |= {addresses[device["settings"]["ieee"]]: device for device in await bus.discover(2.0)}
    return found


def test_every_row_of_the_table_has_an_emulated_device_and_a_driver() -> None:
    rows = {find(profile.manufacturer, profile.model) for profile in PROFILES.values()}
    missing = [row for row in MODELS if row not in rows]
    alike = {("eWeLink", "*DS01"), ("Develco Products A/S", "SMSZB-120"), ("Signify Netherlands B.V.", "SML00?"),
             ("_TYST11_d0yu2xgi", "0yu2xgi"), ("*", "TS0207"), ("IKEA of Sweden", "TRADFRI *"), ("eWeLink", "WB01"),
             ("SONOFF", "SNZB-01P")}  # other names of a product or of a plain behaviour that is emulated
    assert {(row.manufacturer, row.model) for row in missing} == alike
    assert {row.driver for row in MODELS} == set(DRIVERS)
    assert set(STORIES) == set(PROFILES) - {"switch", "coded_door"}


@pytest.mark.timeout(240)
async def test_each_device_joins_is_enrolled_tells_what_it_means_and_leaves(tmp_path: Path) -> None:
    profiles = ",".join(STORIES)
    async with stick(tmp_path, "--devices", profiles) as one, running(tmp_path) as bus, AsyncExitStack() as ports:
        found = await joined(one, bus)
        all_told = []
        for profile, device in found.items():
            driver = DRIVERS[device["driver"]]
            more = {"poll_s": 5.0} if driver.name == "zigbee-plug" else {}
            settings = msgspec.convert(device["settings"] | more, driver.settings)
            told = Told(profile, device["settings"]["ieee"], RecordedLink(settings, profile))
            port = await ports.enter_async_context(bus.open(profile, settings))
            told.session = asyncio.create_task(driver.run(told.link, port))
            await told.link.is_ready.wait()
            all_told.append(told)
        table = {device["ieee"]: device for device in (await one("devices"))["devices"]}
        zones = {told.profile for told in all_told if 0x0500 in PROFILES[told.profile].servers}
        assert {told.profile for told in all_told if table[told.ieee]["enrolled"]} == zones
        ports.push_async_callback(_end, [told.session for told in all_told])
        played = await asyncio.gather(*(play(one, told) for told in all_told), return_exceptions=True)
        assert "\n".join(str(failed) for failed in played if failed) == ""
        await _sirens_sound([told for told in all_told if "siren" in told.profile], one)
        for told in all_told:
            await one("leave", ieee=told.ieee)
        ends = await asyncio.gather(*(told.session for told in all_told), return_exceptions=True)
        assert [str(end) for end in ends if not isinstance(end, LinkLost) or "left the network" not in end.reason] == []
        assert (await one("stats"))["unknown_commands"] == 0
        assert (bus.health()["errors"], bus.health()["malformed_frames"]) == (0, 0)


async def _end(sessions: list[asyncio.Task[None]]) -> None:
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)


async def _sirens_sound(sirens: list[Told], one: Stick) -> None:
    wanted = {"siren": [[0x0502, 0, "37b4003201"], [0x0502, 0, "0000000000"]],
              "neo_siren": [[0xEF00, 0, "0001670200 04000000b4".replace(" ", "")], [0xEF00, 0, "00026801000101"],
                            [0xEF00, 0, "00036801000100"]]}
    for pattern in (LightPattern.FAST, LightPattern.STEADY):
        for siren in sirens:
            siren.link.order(Light(pattern))
        await asyncio.sleep(0.5)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            took = {device["profile"]: [entry for entry in device["took"] if entry[1] == 0]
                    for device in (await one("devices"))["devices"] if device["profile"] in wanted}
            if took == wanted:
                return
            await asyncio.sleep(0.2)
