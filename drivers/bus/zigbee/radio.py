# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio: one life of the stick, from the opening of its port to its loss. The only user of zigpy's application.

ZCL frames are tapped where the stack of the stick (znp, ezsp) receives them: stamped at once, none filtered, and a
frame from a short address that nobody knows yet is kept until its sender is known.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import zigpy.config
from zigpy.backups import NetworkBackup
from zigpy.device import BaseDevice, Device
from zigpy.exceptions import NetworkSettingsInconsistent
from zigpy.types import EUI64
from zigpy.util import CatchingTaskMixin, convert_install_code
from zigpy.zdo.types import ZDOCmd

from drivers.bus.zigbee import arrangement, backup, database, enrolment
from drivers.bus.zigbee.guard import Guard
from drivers.bus.zigbee.network import Network

log = logging.getLogger(__name__)

PING_PERIOD_S = 1.0
PING_S = 4.0  # a bit more than a stack's own limit, behind which a request that hangs may keep its lock
STOP_S, REPLY_S = 10.0, 0.5
START_S = 60.0  # forming with an energy scan takes 5 s
UNKNOWN_SENDERS, FRAMES_OF_EACH = 32, 8
PERMIT_LIMIT_S = 254  # Mgmt_Permit_Joining_req (Zigbee R22, 2.4.3.3.7)
ZONE_IDS = range(0xFF)  # 0xFF means none (ZCL 8.2.2.2.2.2)


class Hearer(Protocol):
    """Who is told what the radio hears. Called from callbacks: must not block."""

    def heard(self, ieee: str, mono_s: float, endpoint: int, cluster: int, raw: bytes) -> None: ...

    def joined(self, ieee: str) -> None: ...

    def interviewed(self, ieee: str) -> None: ...

    def announced(self, ieee: str) -> None: ...

    def left(self, ieee: str) -> None: ...

    def backed_up(self, network: dict[str, Any]) -> None: ...


class _Listener:
    """The methods zigpy looks up by name, every one guarded."""

    def __init__(self, radio: "Radio", guard: Guard) -> None:
        self.device_joined = guard(radio.on_joined)
        self.device_initialized = guard(radio.on_interviewed)
        self.device_left = guard(radio.on_left)
        self.connection_lost = guard(radio.on_connection_lost)
        self.handle_message = guard(radio.on_message)


class _BackupListener:
    """The same for zigpy's backups."""

    def __init__(self, radio: "Radio", guard: Guard) -> None:
        self.network_backup_created = guard(radio.on_backup)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that a cancellation must not cut: zigpy would leave its database's task and thread behind."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        with suppress(Exception):
            await doing
        raise


class Radio:
    """Use as `radio = Radio(...); try: await radio.start(); await radio.lost() finally: await radio.stop()`."""

    def __init__(self, network: Network, folder: Path, hearer: Hearer, guard: Guard,
                 mono_s: Callable[[], float]) -> None:
        self._network, self._stack = network, import_module(f"drivers.bus.zigbee.{network.stick}")
        self._config = {
            zigpy.config.CONF_DEVICE: {zigpy.config.CONF_DEVICE_PATH: network.port},
            zigpy.config.CONF_DATABASE: str(folder / database.NAME),
            zigpy.config.CONF_NWK: {zigpy.config.CONF_NWK_CHANNELS: network.channels},
            zigpy.config.CONF_NWK_VALIDATE_SETTINGS: True,  # off by default: a foreign stick would be accepted
            zigpy.config.CONF_OTA: {zigpy.config.CONF_OTA_ENABLED: False},  # on by default: calls the internet
            zigpy.config.CONF_TOPO_SCAN_ENABLED: False,  # wakes and loads the mesh for a map nobody reads
            zigpy.config.CONF_WATCHDOG_ENABLED: False,  # its 30 s are too slow: see watch()
        } | self._stack.config(network.port)
        self._folder, self._hearer, self._guard, self._mono_s = folder, hearer, guard, mono_s
        self._app: Any = None
        self._armed = False  # resets are our own until the start is over
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._claims: dict[int, EUI64] = {}  # short address -> who announced it last
        self.conflicts = 0
        self._unknown: dict[int, deque[tuple[float, int, int, bytes]]] = {}

    # -- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the port, form the network or restore it. Raises whatever zigpy, the port or the database raise."""
        async with asyncio.timeout(START_S):
            await _to_the_end(self._open_database())
            self._app.add_listener(_Listener(self, self._guard))
            self._app.backups.add_listener(_BackupListener(self, self._guard))
            await self._app.connect()
            self._stack.tap(self._app, self._guard(self.on_frame), self._guard(self.on_reset))
            await self._initialize()
        self._armed = True

    async def _initialize(self) -> None:
        try:
            await self._app.initialize(auto_form=True)
        except NetworkSettingsInconsistent as error:
            if str(error.new_state.node_info.ieee) != self._network.overwrite_stick:
                raise
            log.warning("the stick's own network is erased stick=%s", self._network.overwrite_stick)
            await self._app.backups.restore_backup(error.old_state)
            await self._app.initialize(auto_form=True)

    async def _open_database(self) -> None:
        self._app = await self._stack.Application.new(self._config, start_radio=False)
        if self._network.backup_passphrase and not self._app.backups.backups:
            network = await asyncio.to_thread(backup.unseal, self._folder, self._network.backup_passphrase)
            if network is not None:
                self._app.backups.add_backup(NetworkBackup.from_open_coordinator_json(network))

    async def stop(self) -> None:
        """Close the port and the database."""
        self._armed = False
        if self._app is not None:
            await _to_the_end(self._close())

    async def _close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                if not self._lost.done() and (replies := list(CatchingTaskMixin._tasks)):
                    await asyncio.wait(replies, timeout=REPLY_S)  # default responses on their way
                owners = [self._app, *self._app.devices.values()]
                tasks = [task for owner in owners for task in owner._tasks]
                await self._app.shutdown()
                # shutdown() cancels some tasks, forgets the clusters' and the shielded requests, and waits for none.
                tasks += [*CatchingTaskMixin._tasks, *filter(self._stack.is_request, asyncio.all_tasks())]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def lost(self) -> str:
        """Wait until the stick is lost; return how."""
        return await asyncio.shield(self._lost)  # whoever waits may be cancelled, the stick is not lost by that

    async def watch(self) -> None:
        """Ping the stick until it does not answer: a hung firmware keeps its port open."""
        while True:
            await asyncio.sleep(PING_PERIOD_S)
            try:
                async with asyncio.timeout(PING_S):
                    await self._stack.ping(self._app)
            except (*enrolment.NotAnswered, OSError) as error:
                self._lose(f"the stick does not answer ({type(error).__name__})")
                return

    async def permit(self, seconds: int) -> None:
        """Open the network for joining, 0 closes it. A device whose install code is known joins by that alone."""
        for ieee, code in self._network.install_codes if seconds else ():
            await self._asked(self._stack.add_key(self._app, EUI64.convert(ieee), convert_install_code(code)))
        await self._asked(self._app.permit(min(seconds, PERMIT_LIMIT_S)))

    # -- devices ------------------------------------------------------------------------------------------------------

    @property
    def devices(self) -> list[str]:
        """Addresses of all devices whose interview is done."""
        return [str(ieee) for ieee, device in self._app.devices.items()
                if isinstance(device, Device) and ieee != self._own and device.is_initialized]

    def describe(self, ieee: str) -> tuple[str, str, int | None] | None:
        """(manufacturer, model, zone type) of an interviewed device, None for any other."""
        device = self._device(ieee)
        if device is None or not device.is_initialized:
            return None
        return device.manufacturer or "", device.model or "", enrolment.zone_type(device)

    def enrolled(self, ieee: str) -> bool:
        device = self._device(ieee)
        return device is not None and enrolment.is_enrolled(device, self._own)

    async def enrol(self, ieee: str) -> bool:
        """Try to enrol a device; True if it is enrolled."""
        device = self._device(ieee)
        return device is not None and bool(
            await self._asked(enrolment.enrol(device, self._own, self._zone_id(device))))

    async def arrange(self, ieee: str) -> bool:
        """Bind a device and ask for its reports, as its model needs it; True once it is done."""
        device = self._device(ieee)
        return device is None or bool(await self._asked(arrangement.arrange(device)))

    async def read(self, ieee: str, cluster: int, attributes: Sequence[int]) -> bool | None:
        """Ask a device for attributes of a server cluster; what it answers is heard like all else."""
        device = self._device(ieee)
        return None if device is None else await self._asked(arrangement.read(device, cluster, attributes))

    async def command(self, ieee: str, cluster: int, command: int, payload: bytes) -> bool | None:
        """Send a command to a device's server cluster; True once the device has acknowledged the frame."""
        device = self._device(ieee)
        return None if device is None else await self._asked(arrangement.command(device, cluster, command, payload))

    async def probe(self, ieee: str) -> bool | None:
        """Ask once whether a device is enrolled; its answer brings its zone status too. None without an answer."""
        device = self._device(ieee)
        return None if device is None else await self._asked(enrolment.probe(device, self._own))

    async def answer_enrolment(self, ieee: str) -> None:
        """Answer a Zone Enroll Request."""
        if (device := self._device(ieee)) is not None:
            await self._asked(enrolment.answer(device, self._zone_id(device)))

    @property
    def network(self) -> dict[str, Any]:
        """Channel, PAN id and extended PAN id, JSON-able."""
        info = self._app.state.network_info
        return {"channel": info.channel, "pan": f"0x{info.pan_id:04x}", "extended_pan": str(info.extended_pan_id),
                "stick": str(self._own), "address_conflicts": self.conflicts}

    @property
    def _own(self) -> EUI64:
        own: EUI64 = self._app.state.node_info.ieee
        return own

    async def _asked(self, request: Coroutine[Any, Any, Any]) -> Any:
        """Do a request to the stick or a device; None without an answer: whoever asked tries again."""
        try:
            return await request
        except enrolment.NotAnswered as error:
            log.info("no answer error=%r", error)
        except Exception:
            if not self._lost.done():
                raise  # zigpy-znp stumbles over its own closed port: AttributeError and the like
        return None

    def _device(self, ieee: str) -> Device | None:
        device = self._app.devices.get(EUI64.convert(ieee))
        return device if isinstance(device, Device) else None

    def _zone_id(self, device: Device) -> int:
        """The id this zone has, or one that no other has."""
        ids = {other.ieee: zone.get("zone_id") for other in self._app.devices.values()
               if isinstance(other, Device) and (zone := enrolment.zone_of(other)) is not None}
        own = ids.pop(device.ieee, None)
        return own if own in ZONE_IDS else next(free for free in ZONE_IDS if free not in ids.values())

    # -- callbacks, called through the guard --------------------------------------------------------------------------

    def on_frame(self, nwk: int, endpoint: int, cluster: int, raw: bytes) -> None:
        mono_s, frame = self._mono_s(), (endpoint, cluster, raw)
        if senders := self._at(nwk):
            sender = self._claims[nwk] if self._claims.get(nwk) in senders else senders[0]
            if sender != self._own:
                self._hearer.heard(str(sender), mono_s, *frame)
            return
        if nwk in self._unknown or len(self._unknown) < UNKNOWN_SENDERS:
            self._unknown.setdefault(nwk, deque(maxlen=FRAMES_OF_EACH)).append((mono_s, *frame))
        log.info("frame from an address nobody has nwk=0x%04x", nwk)

    def _at(self, nwk: int) -> list[EUI64]:
        """Who has this short address: one device, unless two claim it."""
        return [ieee for ieee, device in self._app.devices.items() if isinstance(device, Device) and device.nwk == nwk]

    def _claim(self, nwk: int, ieee: EUI64) -> None:
        """The last to announce an address has it, until the other has taken a new one (Zigbee R22, 3.6.1.9)."""
        self._claims[nwk] = ieee
        if others := [other for other in self._at(nwk) if other != ieee]:
            self.conflicts += 1
            log.error("two devices claim one address nwk=0x%04x ieee=%s other=%s", nwk, ieee, others[0])

    def on_reset(self) -> None:
        if self._armed:
            self._lose("the stick restarted by itself")

    def on_connection_lost(self, error: Exception | None) -> None:
        self._lose(f"the stick's port is gone ({error!r})" if error else "the stick's port is gone")

    def on_joined(self, device: BaseDevice) -> None:
        self._claim(int(device.nwk), device.ieee)
        self._hearer.joined(str(device.ieee))
        for frame in self._unknown.pop(int(device.nwk), ()):
            self._hearer.heard(str(device.ieee), *frame)

    def on_interviewed(self, device: BaseDevice) -> None:
        if device.ieee != self._own:
            self._hearer.interviewed(str(device.ieee))

    def on_message(self, _device: BaseDevice, _profile: int, cluster: int, _source: int, endpoint: int,
                   raw: bytes) -> None:
        """Of ZDO, an announcement: number, short address, EUI-64 (Zigbee R22, 2.4.3.1.11), of whomever."""
        if endpoint == 0 and cluster == ZDOCmd.Device_annce:
            ieee, _ = EUI64.deserialize(raw[3:])
            self._claim(int.from_bytes(raw[1:3], "little"), ieee)
            self._hearer.announced(str(ieee))

    def on_backup(self, made: NetworkBackup) -> None:
        self._hearer.backed_up(made.as_open_coordinator_json())

    def on_left(self, device: BaseDevice) -> None:
        """Forget a device that left, which zigpy does not: its return is then a fresh join, enrolment and all."""
        self._app.devices.pop(device.ieee, None)
        self._app.listener_event("device_removed", device)
        device.on_remove()
        self._hearer.left(str(device.ieee))

    def _lose(self, reason: str) -> None:
        if self._lost.done():
            return
        self._lost.set_result(reason)
        for task in filter(self._stack.is_request, asyncio.all_tasks()):
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else will look at it


def explain(error: Exception, port: str) -> tuple[str, str]:
    """Turn what start() raised into a reason and a cure."""
    if isinstance(error, NetworkSettingsInconsistent):
        return ("the stick holds another network than this gateway's",
                "plug this gateway's own stick in, or an empty one: it is given this network from the backup; to erase "
                f'what this one holds, set overwrite_stick = "{error.new_state.node_info.ieee}" in [bus.zigbee]')
    if isinstance(error, backup.BackupError):
        return error.reason, error.cure
    if isinstance(error, PermissionError):
        return f"{port} cannot be opened ({error})", "end the other program that has it open, and check its owner group"
    if isinstance(error, TimeoutError):
        return (f"the stick at {port} does not answer",
                "unplug it and plug it in again; if that does not help: `stick` in [bus.zigbee] must be "
                "what it is: znp (Texas Instruments, Z-Stack 3) or ezsp (Silicon Labs)")
    return (f"the radio does not start ({type(error).__name__}: {error})",
            "unplug the stick and plug it in again; if that does not help, see the log")
