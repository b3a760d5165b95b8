# SPDX-License-Identifier: GPL-3.0-or-later
"""The Zigbee bus: the lives of the stick one after the other, and the ports of the devices.

State      when
waiting    no stick at the port: looked for every LOOK_S
starting   the port is there; the network is being formed or restored
up         devices are heard
down       the last life ended or did not begin; the next follows after a short, growing pause
"""

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from drivers.bus.zigbee import database
from drivers.bus.zigbee.arranged import Arranged
from drivers.bus.zigbee.guard import Guard
from drivers.bus.zigbee.network import Network
from drivers.bus.zigbee.peer import Peer, Port
from drivers.bus.zigbee.zcl import MalformedFrame, asks_enrolment
from drivers.devices.zigbee_models import driver_of
from gateway.spi import BusContext, BusUnavailable, DeviceRejected

if TYPE_CHECKING:
    from drivers.bus.zigbee.radio import Radio

log = logging.getLogger(__name__)

LOOK_S = 0.25
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # after 1, 2, ... lives that did not get up
ENROL_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
HANDOVER_S = 5.0  # for a renamed device: the old name lets go of it a moment after the new one wants it
OPEN_MAX_S = 600.0  # whoever asks for more may have gone: while it is open anybody near can join
INTERVIEW_S = 10.0  # for devices that joined at the last moment of a discovery


class Problem(NamedTuple):
    """Why the radio is not up, and what to do."""

    reason: str
    cure: str


class _Over(Exception):
    """Ends the tasks of one life of the radio."""


class ZigbeeBus:
    """See gateway/spi/bus.py."""

    def __init__(self, network: Network, context: BusContext) -> None:
        self._network, self._port, self._context = network, network.port, context
        self._guard = Guard()
        self._arranged = Arranged(context.state_dir)
        self._peers: dict[str, Peer] = {}
        self._tending: dict[str, asyncio.Task[None]] = {}
        self._arranging: dict[str, asyncio.Task[None]] = {}
        self._radio: Radio | None = None
        self._group: asyncio.TaskGroup | None = None
        self._state = "starting"
        self._problem: Problem | None = None
        self._told: dict[str, Problem] = {}  # device -> the problem it has been told
        self._changed = asyncio.Event()  # replaced at every change
        self._discovery, self._copying = asyncio.Lock(), asyncio.Lock()
        self._joined: set[str] = set()  # in the present or last discovery
        self._fresh: set[str] = set()  # joined, perhaps after a reset by hand: what was agreed with it is forgotten
        self._note = ""  # what had to be done to the database
        self._backup = ""
        self._lives = self._losses = self._malformed = self._enrolments_failed = 0

    # -- the bus ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live with the stick until cancelled: wait for it, start it, watch it, start it again."""
        try:
            from drivers.bus.zigbee.radio import Radio, explain  # an extra, and heavy
        except ImportError as error:
            problem = Problem(f"Zigbee needs zigpy, which is not installed ({error})", "pip install 'anju[zigbee]'")
            self._become("down", problem)
            raise BusUnavailable(*problem) from error
        failures = 0
        while True:
            await self._stick_there()
            self._become("starting", self._problem)
            radio = Radio(self._network, self._context.state_dir, self, self._guard, self._context.mono_s)
            try:
                note = await asyncio.to_thread(database.prepare, self._context.state_dir)
                if note:
                    self._note = note
                    log.error("%s", note)
                await radio.start()
                failures = 0
                await self._live(radio)
            except Exception as error:  # the supervisor of the radio: whatever it dies of, the next life follows
                failures += 1
                self._become("down", Problem(*explain(error, self._port)))
                log.debug("radio did not start", exc_info=True)
            finally:
                await radio.stop()
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # Python 3.11's TaskGroup hides a cancellation that met an error
            await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])

    async def _stick_there(self) -> None:
        while not self._plugged():
            self._become("waiting", Problem(
                f"no Zigbee stick at {self._port}",
                "plug the stick in; if it is, write its path below /dev/serial/by-id to bus.zigbee.port"))
            await asyncio.sleep(LOOK_S)

    def _plugged(self) -> bool:
        return os.path.exists(self._port)

    async def _live(self, radio: "Radio") -> None:
        """Serve devices until the stick is lost."""
        reason = "the Zigbee bus ends"
        try:
            async with asyncio.TaskGroup() as group:
                self._radio, self._group = radio, group
                self._lives += 1
                group.create_task(radio.watch(), name="zigbee watch")
                for ieee in radio.devices:
                    self._tend(ieee)
                self._become("up", None)
                reason = await radio.lost()
                raise _Over
        except* _Over:
            self._losses += 1
        finally:
            self._radio = self._group = None
            self._tending.clear()
            self._arranging.clear()
            for peer in self._peers.values():
                peer.lose(reason, "none needed: the stick is started again")
            self._become("down", Problem(
                reason, "none needed if it comes back at once; otherwise check the stick and its cable"))

    def open(self, device: str, settings: Any) -> AbstractAsyncContextManager[Port]:
        """Give a port to the device with the EUI-64 `settings.ieee`."""
        return self._open(device, str(settings.ieee).lower())

    @asynccontextmanager
    async def _open(self, device: str, ieee: str) -> AsyncIterator[Port]:
        peer = self._peer(ieee)
        await self._claim(peer, device)
        try:
            description = await self._reachable(device, peer)
            port = Port(peer, *description, self)
            peer.attach(port, self._context.mono_s())
            try:
                yield port
            finally:
                peer.detach()
        finally:
            peer.holder = None
            self._change()

    async def _claim(self, peer: Peer, device: str) -> None:
        try:
            async with asyncio.timeout(HANDOVER_S):
                while peer.holder is not None:
                    await self._changed.wait()
        except TimeoutError:
            raise DeviceRejected(f"{peer.ieee} is already the device {peer.holder!r}",
                                 "give each device its own ieee; `anju devices add` lists them") from None
        peer.holder = device

    async def _reachable(self, device: str, peer: Peer) -> tuple[str, str, int | None]:
        """Wait for radio and device. A problem of the radio is told once, by BusUnavailable, and then waited out.

        What calls for help is heard as soon as it is known what it is, though its enrolment is not proven: the proof
        may have to wait for it to wake up.
        """
        while True:
            if self._radio is not None:
                self._told.pop(device, None)
                description = self._radio.describe(peer.ieee)
                if description is not None and (peer.ready or (peer.calls and driver_of(*description) is not None)):
                    return description
            elif self._problem is not None and self._told.get(device) != self._problem:
                self._told[device] = self._problem
                raise BusUnavailable(*self._problem)
            await self._changed.wait()

    async def discover(self, seconds: float) -> list[dict[str, Any]]:
        """Open the network for `seconds`; return what joined, and what had joined but was never configured."""
        seconds = min(OPEN_MAX_S, seconds)
        async with self._discovery:
            if self._radio is None and self._problem is not None:
                raise BusUnavailable(*self._problem)
            self._joined.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._keep_open(asyncio.get_running_loop().time() + seconds)
            if self._radio is not None:
                await self._radio.permit(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVIEW_S):
                    while any(not self._peer(ieee).ready for ieee in self._joined):
                        await self._changed.wait()
            strangers = {ieee for ieee in (self._radio.devices if self._radio else ())
                         if not self._peer(ieee).opened and self._peer(ieee).holder is None}
            return [self._found(ieee) for ieee in sorted(self._joined | strangers)]

    async def _keep_open(self, until_s: float) -> None:
        """Open the network, again after each new life of the stick and each 254 s."""
        loop = asyncio.get_running_loop()
        while True:
            while (radio := self._radio) is None:
                await self._changed.wait()
            await radio.permit(max(1, int(until_s - loop.time())))
            with suppress(TimeoutError):
                async with asyncio.timeout(min(until_s - loop.time(), 250.0)):
                    while self._radio is radio:
                        await self._changed.wait()

    def _found(self, ieee: str) -> dict[str, Any]:
        manufacturer, model, zone_type = (self._radio and self._radio.describe(ieee)) or (None, None, None)
        return {"name": model or ieee, "manufacturer": manufacturer, "model": model, "new": ieee in self._joined,
                "driver": driver_of(manufacturer or "", model or "", zone_type), "ready": self._peer(ieee).ready,
                "settings": {"ieee": ieee}}

    def health(self) -> dict[str, Any]:
        """State, network and counters; `reason` and `cure` where the radio is not up."""
        radio, problem = self._radio, self._problem or Problem("", "")
        ready = sum(peer.ready for peer in self._peers.values())
        return {
            "state": self._state, "port": self._port,
            "reason": problem.reason, "cure": problem.cure,
            "devices": len(radio.devices) if radio else 0, "ready": ready,
            "lives": self._lives, "losses": self._losses,
            "errors": self._guard.count, "last_error": self._guard.last,
            "malformed_frames": self._malformed, "enrolments_failed": self._enrolments_failed,
            "messages_dropped": sum(peer.dropped for peer in self._peers.values()),
            "database": self._note or "ok",
            "backup": self._backup or (
                "not yet" if self._network.backup_passphrase else "none: set bus.zigbee.backup_passphrase"),
        } | (radio.network if radio else {"channel": None, "pan": None})

    # -- what the radio tells (radio.Hearer), called through the guard ------------------------------------------------

    def heard(self, ieee: str, mono_s: float, endpoint: int, cluster: int, raw: bytes) -> None:
        peer = self._peer(ieee)
        try:
            peer.hear(mono_s, endpoint, cluster, raw)
            if not peer.ready:
                self._change()
            asked = asks_enrolment(cluster, raw)
        except MalformedFrame as error:
            self._malformed += 1
            log.warning("malformed frame ieee=%s cluster=0x%04x error=%r", ieee, cluster, str(error))
            return
        if asked and self._radio is not None and self._group is not None:
            self._group.create_task(self._guard.contain(f"answer {ieee}", self._radio.answer_enrolment, ieee))

    def joined(self, ieee: str) -> None:
        log.info("device joins ieee=%s", ieee)
        self._joined.add(ieee)
        self._fresh.add(ieee)
        self._change()

    def interviewed(self, ieee: str) -> None:
        self._joined.add(ieee)
        self._tend(ieee)

    def announced(self, ieee: str) -> None:
        """A device that comes back may have been reset by hand: see whether it is still enrolled."""
        self._joined.add(ieee)
        if self._radio is not None and self._radio.describe(ieee) is not None:
            self._tend(ieee)

    def left(self, ieee: str) -> None:
        log.info("device left ieee=%s", ieee)
        for tasks in (self._tending, self._arranging):
            if (task := tasks.pop(ieee, None)) is not None:
                task.cancel()
        self._joined.discard(ieee)
        self._peer(ieee).lose("the device left the network", "pair it again: start discovery, press its button")
        self._change()

    def backed_up(self, network: dict[str, Any]) -> None:
        if self._network.backup_passphrase and self._group is not None:
            self._group.create_task(self._guard.contain("backup", self._keep_backup, network))

    async def _keep_backup(self, network: dict[str, Any]) -> None:
        from drivers.bus.zigbee import backup  # brings cryptography, as zigpy does

        async with self._copying:
            await asyncio.to_thread(backup.keep, self._context.state_dir, self._network.backup_passphrase, network)
        self._backup = str(self._context.state_dir / backup.NAME)

    # -- devices ------------------------------------------------------------------------------------------------------

    def _peer(self, ieee: str) -> Peer:
        return self._peers.setdefault(ieee, Peer(ieee))

    def _tend(self, ieee: str) -> None:
        """See to it, in the background of this life, that the device is enrolled."""
        if self._radio is None or self._group is None:
            return  # still starting: _live() tends every device
        if (arranging := self._arranging.pop(ieee, None)) is not None:
            arranging.cancel()  # it may wait for an answer to what the device has never heard
        running = self._tending.get(ieee)
        if running is not None and not running.done():
            self._peer(ieee).again = True
            self._peer(ieee).nudge.set()
            return
        self._tending[ieee] = self._group.create_task(
            self._guard.contain(f"enrol {ieee}", self._see_enrolled, self._radio, self._peer(ieee)))

    async def _see_enrolled(self, radio: "Radio", peer: Peer) -> None:
        peer.again = True
        while peer.again:
            peer.again = False
            await self._enrol(radio, peer)

    async def _enrol(self, radio: "Radio", peer: Peer) -> None:
        asleep = False
        if radio.enrolled(peer.ieee):
            # The database says so: the port opens at once. One question, in case a change fell into our own absence.
            self._set_ready(peer)
            peer.nudge.clear()
            told = await radio.probe(peer.ieee)
            asleep = told is None
            if told is False:
                log.warning("device is no longer enrolled ieee=%s", peer.ieee)
                self._fresh.add(peer.ieee)
        if not radio.enrolled(peer.ieee):
            pauses_s = itertools.chain(ENROL_PAUSES_S, itertools.repeat(ENROL_PAUSES_S[-1]))
            while not await radio.enrol(peer.ieee):
                self._enrolments_failed += 1
                peer.nudge.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(next(pauses_s)):
                        await peer.nudge.wait()
        self._set_ready(peer)
        if self._group is not None:
            self._arranging[peer.ieee] = self._group.create_task(
                self._guard.contain(f"arrange {peer.ieee}", self._arrange, radio, peer, asleep))

    async def _arrange(self, radio: "Radio", peer: Peer, asleep: bool) -> None:
        """Agree with a device on bindings and reports, unless that is done. But for one that has just joined, only when
        it has just spoken: a question to one that sleeps holds up others for minutes. One that slept through the
        question how its zone stands is asked again then.
        """
        while asleep:
            await peer.nudge.wait()
            peer.nudge.clear()
            asleep = (told := await radio.probe(peer.ieee)) is None
            if told is False:
                self._fresh.add(peer.ieee)
                self._tend(peer.ieee)
                return
        if fresh := peer.ieee in self._fresh:
            self._fresh.discard(peer.ieee)
            await asyncio.to_thread(self._arranged.discard, peer.ieee)
        if peer.ieee in self._arranged:
            return
        async with self._copying:
            await asyncio.to_thread(database.keep, self._context.state_dir)
        if not fresh:
            await peer.nudge.wait()
        while not await radio.arrange(peer.ieee):
            peer.nudge.clear()
            await peer.nudge.wait()
        await asyncio.to_thread(self._arranged.add, peer.ieee)

    # -- what ports ask (peer.Asker) ----------------------------------------------------------------------------------

    async def read(self, ieee: str, cluster: int, attributes: Sequence[int]) -> bool | None:
        return await self._radio.read(ieee, cluster, attributes) if self._radio else None

    async def command(self, ieee: str, cluster: int, command: int, payload: bytes) -> bool | None:
        return await self._radio.command(ieee, cluster, command, payload) if self._radio else None

    # -- state --------------------------------------------------------------------------------------------------------

    def _set_ready(self, peer: Peer) -> None:
        peer.ready = True
        self._change()

    def _become(self, state: str, problem: Problem | None) -> None:
        if (state, problem) != (self._state, self._problem):
            log.info("zigbee %s reason=%r", state, problem.reason if problem else "")
        self._state, self._problem = state, problem
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
