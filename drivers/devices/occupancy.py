"""Who is there: motion and presence by Occupancy Sensing (ZCL 4.8), and fall radars on mains power.

FDS315 (OWON)    cluster 0xFD00: 0x0000 state (0 nobody, 1 somebody, 2 sitting, 3 in bed, 4 low, 5 falling), 0x0002
                 breaths a minute. Not medical.
HS2FD (HEIMAN)   Occupancy's bit 0 somebody, bits 1-3 activity, bits 4-5 fall (0 none, 1 warning, 2 alarm); its own
                 cluster 0xFC8B holds settings only.
A radar is asked for its state when a session begins, for somebody may have fallen while the stick was away; no more
often, for a flag that is told again and again would raise its alarm again.
Sources: public converters of Zigbee2MQTT (owon.ts, heiman.ts), compared with the makers' product pages.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from drivers.devices.zigbee_rules import BATTERY, CLIMATE, OCCUPANCY, OCCUPIED, Fall, Level, Number, Rule
from drivers.devices.zigbee_session import (
    ALIVE,
    BATTERY_SILENCE_S,
    MAINS_SILENCE_S,
    Asked,
    IeeeSettings,
    check_model,
    listen,
)
from gateway.model.finding import FallSource
from gateway.model.reading import BinaryKind, QuantityKind
from gateway.spi import Driver, Link, Tested, ZigbeePort

_FDS, _STATE, _BREATH = 0xFD00, 0x0000, 0x0002
FDS315_RULES = (Fall(_FDS, _STATE, 5), Level(_FDS, _STATE, BinaryKind.PRESENCE, equals=frozenset(range(1, 256))),
                Level(_FDS, _STATE, BinaryKind.BED, equals=frozenset({3})),
                Number(_FDS, _BREATH, QuantityKind.RESPIRATION, unknown=frozenset({0, 0xFF})))
HS2FD_RULES = (Fall(OCCUPANCY, OCCUPIED, 2, mask=0x03, shift=4), Level(OCCUPANCY, OCCUPIED, BinaryKind.PRESENCE),
               Level(OCCUPANCY, OCCUPIED, BinaryKind.MOTION, mask=0x0E))


def _session(driver: str, *rules: Rule, only_known: bool = False,
             asked: Sequence[Asked] = ()) -> Callable[[Link[Any], ZigbeePort], Awaitable[None]]:
    async def run(link: Link[Any], port: ZigbeePort) -> None:
        check_model(driver, port, only_known=only_known)
        await listen(link, port, rules, asked=asked)

    return run


_TESTED = (Tested.VECTORS, Tested.EMULATED)

MOTION: Driver[IeeeSettings, ZigbeePort] = Driver(
    "zigbee-motion", "Zigbee motion sensor (Occupancy Sensing: Philips SML001)", "zigbee", IeeeSettings,
    _session("zigbee-motion", Level(OCCUPANCY, OCCUPIED, BinaryKind.MOTION), *CLIMATE, BATTERY),
    gives=("motion", "temperature", "humidity", "battery"), silence_s=BATTERY_SILENCE_S, tested=_TESTED)

PRESENCE: Driver[IeeeSettings, ZigbeePort] = Driver(
    "zigbee-presence", "Zigbee presence radar on mains power (Occupancy Sensing: SONOFF SNZB-06P)", "zigbee",
    IeeeSettings, _session("zigbee-presence", Level(OCCUPANCY, OCCUPIED, BinaryKind.PRESENCE),
                            asked=(ALIVE, Asked(OCCUPANCY, (OCCUPIED,)))),
    gives=("presence",), silence_s=MAINS_SILENCE_S, tested=_TESTED)

FDS315: Driver[IeeeSettings, ZigbeePort] = Driver(
    "fds315", "OWON FDS315 fall radar (breath not medical)", "zigbee", IeeeSettings,
    _session("fds315", *FDS315_RULES, only_known=True, asked=(ALIVE, Asked(_FDS, (_STATE,), None))),
    gives=("fall", "presence", "bed", "respiration"), falls=FallSource.RADAR, silence_s=MAINS_SILENCE_S, tested=_TESTED)

HS2FD: Driver[IeeeSettings, ZigbeePort] = Driver(
    "hs2fd", "HEIMAN HS2FD fall radar", "zigbee", IeeeSettings,
    _session("hs2fd", *HS2FD_RULES, only_known=True, asked=(ALIVE, Asked(OCCUPANCY, (OCCUPIED,), None))),
    gives=("fall", "presence", "motion"), falls=FallSource.RADAR, silence_s=MAINS_SILENCE_S, tested=_TESTED)
