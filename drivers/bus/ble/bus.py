"""BleBus: one radio, one scanner, a peer for each open device; for one that only advertises, what it says.

run() brings the radio up and holds it; when it raises, every open peer is lost and open() refuses until it runs again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.bus.ble import bluez, bond, systemd
from drivers.bus.ble.adverts import Adverts
from drivers.bus.ble.backends import BLUEZ, Backend, load
from drivers.bus.ble.ladder import Rung, Symptom
from drivers.bus.ble.notebook import Notebook
from drivers.bus.ble.pairing import Pairing
from drivers.bus.ble.peer import NoAnswer, NoRoom, Peer
from drivers.bus.ble.recognise import Drivers, recognise
from drivers.bus.ble.recovery import Action, RadioFault, Recovery
from drivers.bus.ble.scan import Scan
from drivers.bus.ble.sightings import Sighting, Sightings
from drivers.bus.ble.slots import Slot, Slots
from gateway.spi import Advertisement, Advertiser, BusUnavailable, DeviceRejected, LinkError, LinkLost, SpiError

log = logging.getLogger(__name__)

LINKS = 7  # that the Pi's own controller holds; dongles hold 5 and more
FEWEST_LINKS = 5  # with fewer, a connection that does not come about is not for want of room
TICK_S = 2.5
SILENT_S = 12.0  # active scanning hears an advertiser about every 0.6 s: the discovery may be stuck


class BleBus:
    """The Bluetooth LE radio of one adapter."""

    def __init__(self, adapter: str, backend: str, mono_s: Callable[[], float],
                 state_dir: Path | None = None, drivers: Drivers = tuple, links: int = LINKS,
                 system: Mapping[Rung, Action] | None = None, calm: Callable[[], bool] = lambda: True) -> None:
        self._drivers = drivers
        self._adapter, self._backend_name, self._mono_s = adapter, backend, mono_s
        self._notebook = Notebook(state_dir)
        self._backend = Backend(backend)
        self._sightings = Sightings()
        self._peers: set[Peer] = set()
        self._attempts: set[Peer] = set()  # not connected yet
        self._adverts: set[Adverts] = set()
        self._listened: set[str] = set()  # addresses that an Adverts was opened for
        self._listed: set[str] = set()  # addresses whose services this bluetoothd has listed: bleak's cache is good
        self._reread: set[str] = set()  # addresses whose list of services lacked something last time
        self._slots = Slots(links, mono_s)
        self._sought: set[Slot] = set()  # of devices that are not connected
        self._connecting = asyncio.Lock()  # between who has the turn and who is being paired
        self._pairing = Pairing(mono_s, self._free, self._unbonded, self._connecting)
        self._settled = asyncio.Event()  # up or down for a known reason
        self._fault: BusUnavailable | None = None
        self._scan: Scan | None = None
        self._service: bluez.BlueZ | None = None  # while BlueZ carries this bus
        self._was_up = False
        self._recovery = Recovery(systemd.actions(adapter) if system is None and backend == BLUEZ else system or {},
                                  mono_s, self._notebook, calm)
        self._counts = dict.fromkeys(("connects", "failed_connects", "lost_links", "taken_over", "downs"), 0)

    async def run(self) -> None:
        """Hold the radio up until cancelled. Raises BusUnavailable."""
        fault = BusUnavailable("the Bluetooth bus was stopped", "none needed: it is started again")
        try:
            await self._notebook.load()
            self._backend = load(self._backend_name)
            if self._backend.is_bluez:
                await self._hold_bluez()
            else:
                await self._hold(None)
        except BusUnavailable as error:
            fault = error
            raise
        finally:
            self._go_down(fault)
            await self._notebook.save()

    async def _hold_bluez(self) -> None:
        try:
            async with bluez.connect(self._adapter) as self._service, self._pairing.agent(self._service):
                await self._hold(self._service)
        except RadioFault as fault:
            self._service = None
            self._go_down(fault)  # at once, for what helps may take its time
            with contextlib.suppress(BusUnavailable):
                await self._recover(fault.symptom)
            raise
        finally:
            self._service = None

    @asynccontextmanager
    async def open(self, device: str, settings: Any) -> AsyncIterator[Peer | Adverts]:
        """Wait until the device is heard, connect, give the peer; disconnect on leaving. An Advertiser: listen only."""
        address = settings.address.upper()
        if isinstance(settings, Advertiser):
            await self._up()
            adverts = Adverts(address, self._notebook.page(device))
            self._adverts.add(adverts)
            self._catch_up(adverts)
            try:
                yield adverts
            finally:
                self._adverts.discard(adverts)
            return
        peer = Peer(address, self._notebook.page(device), self._mono_s, lambda uuid: self._missing(address, uuid))
        slot = Slot(device, getattr(settings, "urgent", False), peer.lose)
        try:
            self._sought.add(slot)
            await self._connect(peer, slot)
            self._sought.discard(slot)
            self._peers.add(peer)
            try:
                yield peer
            finally:
                self._peers.discard(peer)
                self._counts["lost_links"] += peer.is_lost
                await peer.close()
                await self._reread_next_time(address, peer.lacked)
                self._sightings.forget(address)  # last: what was heard of a device that BlueZ then forgot is void
        finally:
            self._sought.discard(slot)
            self._slots.give_back(slot)

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Listen and tell who was heard, strongest first. Raises BusUnavailable."""
        await self._up()
        started_mono_s = self._mono_s()
        await asyncio.sleep(seconds)
        if self._fault is not None:
            raise BusUnavailable(self._fault.reason, self._fault.cure)
        drivers = self._drivers()
        return [
            {"name": heard.name or "", "address": heard.address, "rssi_dbm": heard.rssi_dbm,
             **recognise(heard.advertisement, drivers), "settings": {"address": heard.address}}
            for heard in self._sightings.since(started_mono_s)
        ]

    def pair(self, address: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        """Pair with a device within so many seconds; steps as in Pairing.pair(). Raises LinkError."""
        if self._backend_name != BLUEZ:
            raise BusUnavailable("only BlueZ can pair", f'set backend = "{BLUEZ}" in [bus.ble]')
        return self._pairing.pair(address.upper(), seconds)

    def answer_pairing(self, text: str) -> None:
        """Answer what a step of pair() asked. Raises LinkError."""
        self._pairing.answer(text)

    def health(self) -> dict[str, Any]:
        state = "starting" if not self._settled.is_set() else "down" if self._fault else "up"
        advertisements = self._scan.advertisements if self._scan else 0
        return {"state": state, "adapter": self._adapter, "backend": self._backend_name,
                "links": len(self._peers), "heard_only": len(self._adverts),
                "awaited": len(self._sightings.awaited), "advertisements": advertisements,
                **self._slots.health(), **self._recovery.health(), **self._counts, **self._pairing.counts}

    # -- up and down ------------------------------------------------------------------------------------------------

    async def _hold(self, service: bluez.BlueZ | None) -> None:
        self._scan = scan = Scan(self._backend, self._adapter, self._mono_s, self._heard)
        try:
            await scan.start()
            if service is not None:
                self._take_over(await service.kept())
            self._fault, self._was_up = None, True
            self._settled.set()
            log.info("bluetooth up adapter=%s backend=%s", self._adapter, self._backend_name)
            while not (service and await service.dead(TICK_S)):
                if service is None:
                    await asyncio.sleep(TICK_S)
                await self._notebook.save()
                await self._look_after(scan, service)
            raise RadioFault(Symptom.GONE, "bluetoothd went away",
                             "none needed if it comes back by itself; else: systemctl status bluetooth")
        finally:
            await scan.stop()

    async def _look_after(self, scan: Scan, service: bluez.BlueZ | None) -> None:
        """One tick of the watchdog."""
        self._slots.look()
        if service is not None:
            if not await service.ready():
                await scan.restart()
            if awaited := self._sightings.awaited:
                self._take_over([kept for kept in await service.kept() if kept.address.upper() in awaited])
        expected = (self._sightings.awaited or self._adverts) and not self._connecting.locked()  # scans may pause
        if expected and scan.silent_s() >= SILENT_S:
            await self._recover(Symptom.SILENT)

    async def _recover(self, symptom: Symptom) -> None:
        """Climb the ladder by one rung, if one is due. Raises BusUnavailable where the radio then does not work."""
        if symptom is Symptom.LOST and not self._was_up:
            symptom = Symptom.MISSING
        scan = self._scan

        async def rescan() -> None:
            if scan is not None and scan.is_on:
                await scan.restart()

        async def power_cycle() -> None:
            async with bluez.connect(self._adapter) as service:
                await service.power_cycle()
            await rescan()

        own = {Rung.RESCAN: rescan} | ({Rung.POWER_CYCLE: power_cycle} if self._backend.is_bluez else {})
        links = self._slots.links(urgent_only=any(slot.urgent for slot in self._sought))
        await self._recovery.meet(symptom, links, own)

    def _go_down(self, fault: BusUnavailable) -> None:
        self._counts["downs"] += self._fault is None
        self._fault = fault
        self._settled.set()
        self._listed.clear()  # a new bluetoothd exports nothing until it has listed it; bleak's cache does not know
        self._sightings.clear(BusUnavailable(fault.reason, fault.cure))
        self._slots.clear(BusUnavailable(fault.reason, fault.cure))
        ports: list[Peer | Adverts] = [*self._peers, *self._attempts, *self._adverts]
        for port in ports:
            port.lose(fault.reason, fault.cure)

    async def _up(self) -> None:
        await self._settled.wait()
        if self._fault is not None:
            raise BusUnavailable(self._fault.reason, self._fault.cure)

    # -- who is there -----------------------------------------------------------------------------------------------

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self._recovery.well()
        address, now_mono_s = device.address.upper(), self._mono_s()
        name = advertisement.local_name or device.name
        heard = Advertisement(now_mono_s, advertisement.rssi, name, dict(advertisement.service_data),
                              dict(advertisement.manufacturer_data), tuple(advertisement.service_uuids))
        listening = [adverts for adverts in self._adverts if adverts.address == address]
        self._sightings.add(Sighting(address, name, advertisement.rssi, now_mono_s, device, advertisement=heard,
                                     told=bool(listening)))
        for adverts in listening:
            adverts.heard(heard)

    def _catch_up(self, adverts: Adverts) -> None:
        """Tell what was heard between two sessions, a press perhaps; but not to the first, nor what is long ago."""
        missed = self._sightings.fresh(adverts.address, self._mono_s())
        if adverts.address in self._listened and missed and missed.advertisement and not missed.told:
            adverts.heard(missed.advertisement)
            self._sightings.forget(adverts.address)
        self._listened.add(adverts.address)

    def _take_over(self, kept: list[BLEDevice]) -> None:
        """Links of an earlier daemon that was killed: such a device does not advertise, so no scan would find it."""
        open_now = {peer.address for peer in self._peers}
        for device in kept:
            address = device.address.upper()
            if address not in open_now:
                self._sightings.add(Sighting(address, device.name, None, self._mono_s(), device, connected=True))

    async def _free(self, address: str) -> None:
        """Wait until a device is heard that is to be paired; who holds it lets go."""
        for peer in self._held(address):
            peer.lose("the device is being paired", "none needed: it is connected to after that")
            await peer.close()
        await self._sightings.wait(address, self._mono_s())
        self._sightings.forget(address)
        self._listed.discard(address)  # with a bond BlueZ forgets the services too

    def _unbonded(self, address: str) -> None:
        """End the session whose device wanted a bond and was refused: bluetoothd 5.66 leaves its call unanswered."""
        for peer in self._held(address):
            peer.lose(*bond.missing("the session", address))

    async def _has_bond(self, address: str) -> bool:
        """Tell whether bluetoothd keeps a bond with this device, whatever the device thinks."""
        try:
            return self._service is not None and bool((await self._service.device(address))[1].get("Paired"))
        except BusUnavailable:
            return False

    def _held(self, address: str) -> list[Peer]:
        return [peer for peer in self._peers | self._attempts if peer.address == address]

    # -- one connection ---------------------------------------------------------------------------------------------

    async def _connect(self, peer: Peer, slot: Slot) -> None:
        await self._up()
        await self._pairing.over(peer.address)
        sighting = await self._heard_and_in_turn(peer.address, slot)
        self._sightings.forget(peer.address)
        self._attempts.add(peer)  # so that the bus going down ends the attempt
        try:
            async with self._connecting:
                await self._up()
                await self._attempt(peer, sighting)
        except BaseException as error:
            self._counts["failed_connects"] += isinstance(error, LinkError)
            await peer.close()
            if isinstance(error, LinkError) and not isinstance(error, BusUnavailable | NoRoom | LinkLost) \
                    and await self._has_bond(peer.address):
                raise LinkError(*bond.doubted(error.reason, error.cure, peer.address)) from error
            raise
        finally:
            self._attempts.discard(peer)
        self._slots.connected(slot)
        self._listed.add(peer.address)
        self._counts["connects"] += 1
        self._counts["taken_over"] += sighting.connected
        log.info("bluetooth link up device=%s address=%s rssi_dbm=%s", slot.device, peer.address, sighting.rssi_dbm)

    async def _heard_and_in_turn(self, address: str, slot: Slot) -> Sighting:
        """Wait until the device is heard and may connect; what was heard is still fresh then."""
        while True:
            await self._sightings.wait(address, self._mono_s())
            await self._slots.take(slot)
            await self._up()
            if sighting := self._sightings.fresh(address, self._mono_s()):
                return sighting
            self._slots.give_back(slot)

    async def _attempt(self, peer: Peer, sighting: Sighting) -> None:
        if self._pairing.concerns(peer.address):
            raise LinkError("the device is being paired", "none needed: it is connected to after that")
        use_cache = peer.address in self._listed and peer.address not in self._reread
        try:
            await peer.connect(sighting, use_cache, self._backend.options("client", self._adapter))
        except NoRoom:
            self._slots.refused()
            raise
        except NoAnswer:
            if len(self._peers) >= FEWEST_LINKS and self._sightings.fresh(peer.address, self._mono_s()):
                self._slots.refused()  # heard all the time, so it is there
            raise

    async def _reread_next_time(self, address: str, lacked: bool) -> None:
        """Have the list of services read from the device itself if something was missing in it."""
        if not lacked:
            self._reread.discard(address)
            return
        self._reread.add(address)
        if self._service is None:
            return
        try:
            await self._service.forget(address)  # BlueZ's own cache on disk goes only with the whole device object
        except BusUnavailable as error:
            log.warning("the cached services of a device stay: address=%s %s", address, error)

    def _missing(self, address: str, uuid: str) -> SpiError:
        """What to raise for a characteristic that the peer does not offer."""
        if address in self._reread:
            return DeviceRejected(f"the device has no characteristic {uuid}",
                                  "it is another model: check its address and its driver in the configuration")
        return LinkLost(f"characteristic {uuid} is not in the list of services, which may be an old one",
                        "none needed: the list is read anew")
