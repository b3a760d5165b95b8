"""Bluetooth Low Energy: one scanner for the whole gateway, and a connected peer for each bracelet.

    bus.py       BleBus: what the runtime sees
    scan.py      the one scanner and its watchdog
    sightings.py who was heard, and waiting for somebody
    recognise.py which driver knows what was heard
    slots.py     who may connect: few links, urgent devices first
    peer.py      BlePeer over bleak
    adverts.py   AdvertPort: what one address advertises
    pairing.py   the enrolment window, and BlueZ's agent
    bond.py      what a missing bond looks like
    notebook.py  what drivers want to know again after a restart
    bluez.py     the host's Bluetooth service watched over D-Bus: adapter, kept links, its death
    ladder.py    what to try when the radio does not work: a table
    recovery.py  the ladder's rungs carried out
    systemd.py   those that need root
    backends.py  stand-ins for BlueZ, by entry point

The failures that this package answers, and where:
- bluetoothd dies and bleak notices nothing: bluez.py sees the name go, bus.py ends every peer and scans anew;
- discovery gets stuck, the controller's firmware hangs, bluetoothd stays away: ladder.py says what is tried, and when;
- a call is never answered: peer.py, scan.py and bluez.py give each its time;
- the controller holds few links: slots.py counts them, and serves who raises alarms first;
- a killed daemon leaves links that BlueZ keeps, invisible to scans: bluez.py lists them, bus.py takes them over;
- the cached list of services is stale: bus.py has it read anew before it believes a characteristic is missing.
"""

from typing import Annotated

import msgspec

from drivers.bus.ble.bus import LINKS, BleBus
from gateway.spi import BusKind


class BleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bus.ble]. `backend`: "bluez", or the name of an entry point in the group `gateway.ble_backends`.

    `links`: how many devices the adapter can be connected to at once; where it turns out to be fewer, fewer.
    """

    adapter: str = "hci0"
    backend: str = "bluez"
    links: Annotated[int, msgspec.Meta(ge=1, le=64)] = LINKS


BUS = BusKind(
    name="ble",
    settings=BleSettings,
    make=lambda settings, context: BleBus(settings.adapter, settings.backend, context.mono_s, context.state_dir,
                                          context.drivers, settings.links, calm=context.calm),
)

__all__ = ["BUS", "BleBus", "BleSettings"]
