"""The flat: every end device in it, and the air between them and the coordinator.

A device hears and is heard only on the network it has joined, while the chip listens. A frame to a sleeping device
waits at its parent for HELD_S at most (Z-Stack's NWK_INDIRECT_MSG_TIMEOUT).
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

from hil.devices.zigbee import air_api
from hil.devices.zigbee.coordinator import Coordinator, Request
from hil.devices.zigbee.end_device import IEEE_ADDRESS, EndDevice, revive
from hil.devices.zigbee.install_code import link_key
from hil.devices.zigbee.profiles import PROFILES

HELD_S = 7.68
HOP_S = 0.004  # one hop of a short frame, with channel access and acknowledgement
ASSOCIATION_S = 0.3  # from the trust centre's notice of a joining device to its announcement
SUCCESS, NO_ROUTE, TRANSACTION_EXPIRED = 0x00, 0xCD, 0xF0  # of AF_DATA_CONFIRM (MT, 4)
DEVICE_ANNOUNCE = 0x0013


class FlatError(Exception):
    """What was asked cannot happen in this flat; the message says why."""


class Flat:
    """Devices by address; implements end_device.Air."""

    def __init__(self, chip: Coordinator) -> None:
        self._chip = chip
        self.devices = {saved["ieee"]: revive(saved, self) for saved in chip.nvram.flat}
        self._pairing: list[EndDevice] = []  # wait for the network to open
        self._last_sent_mono_s = 0.0
        chip.transmit = self._transmit
        chip.broadcast = self._broadcast
        chip.opened = self._open

    # -- what the technician and the resident do ----------------------------------------------------------------------

    def bring(self, profile: str, ieee: str | None = None) -> EndDevice:
        """Bring a device into the flat in pairing mode: it joins as soon as a network is open."""
        device = self._new(profile, ieee)
        self._pairing.append(device)
        if self._chip.open:
            self._open()
        return device

    def join(self, profile: str, ieee: str | None = None, poll_s: float = 0.0) -> EndDevice:
        """Press a device's pairing button now. Raises FlatError where no network is open."""
        if not self._chip.open:
            raise FlatError("no network is open for joining: start discovery first")
        device = self._new(profile, ieee)
        device.poll_s = poll_s
        self._associate(device)
        return device

    def get(self, ieee: str) -> EndDevice:
        if ieee not in self.devices:
            raise FlatError(f"no device {ieee}: there are {', '.join(self.devices) or 'none'}")
        return self.devices[ieee]

    def zone(self, ieee: str, bits: int) -> tuple[bool, float]:
        """Let a sensor see something; (whether it went on the air, CLOCK_MONOTONIC of that or of now)."""
        return self.act(ieee, lambda device: device.set_zone(bits))

    def storm(self, ieees: list[str], rounds: int, first: int) -> None:
        """Let these zones change all at once, `rounds` times, beginning with the bits `first`, then 1 - first."""
        for turn in range(rounds):
            for ieee in ieees:
                self.get(ieee).set_zone((first + turn) % 2)
        self.remember()

    def battery(self, ieee: str, half_percent: int) -> bool:
        return self.act(ieee, lambda device: device.set_battery(half_percent))[0]

    def act(self, ieee: str, what: Callable[[EndDevice], bool]) -> tuple[bool, float]:
        """Let something happen to a device; (whether it went on the air, CLOCK_MONOTONIC of that or of now)."""
        self._last_sent_mono_s = time.monotonic()
        sent = what(self.get(ieee))
        self.remember()
        return sent, self._last_sent_mono_s

    def announce(self, ieee: str, nwk: int | None = None) -> None:
        """Let a device come back to its network under a new short address (a secured rejoin), be it another's."""
        device = self.get(ieee)
        device.nwk = self._address() if nwk is None else nwk
        self.remember()
        self._announce(device)

    def leave(self, ieee: str) -> None:
        self.left(self.get(ieee))

    def remember(self) -> None:
        """Keep every device's state over a restart of this process."""
        self._chip.nvram.flat = [device.dump() for device in self.devices.values()]
        self._chip.nvram.save()

    def _new(self, profile: str, ieee: str | None) -> EndDevice:
        if profile not in PROFILES:
            raise FlatError(f"no profile {profile!r}: there are {', '.join(PROFILES)}")
        raw = bytes.fromhex(ieee.replace(":", ""))[::-1] if ieee else secrets.token_bytes(5) + b"\x8d\x15\x00"
        return EndDevice(profile, raw, self)

    def _open(self) -> None:
        waiting, self._pairing = self._pairing, []
        for device in waiting:
            self._associate(device)

    def _associate(self, device: EndDevice) -> None:
        device.factory_reset()
        code = device.profile.install_code
        if code and self._chip.link_keys.get(device.ieee) != link_key(code):
            return  # the network's key came under a key that it does not have: it goes on searching
        device.nwk, device.network = self._address(), self._chip.nvram.network
        self.devices[device.address] = device
        self.remember()
        air_api.zdo_tc_dev_ind(self._chip, device.nwk, device.ieee)
        self.later(ASSOCIATION_S, lambda: self._announce(device))

    def _address(self) -> int:
        used = {device.nwk for device in self.devices.values()}
        while (nwk := secrets.randbelow(0xFFF0) + 1) in used:
            pass
        return nwk

    def _announce(self, device: EndDevice) -> None:
        if device.silent or not self._hears(device):
            return
        capabilities = device.profile.capabilities
        air_api.zdo_end_device_annce_ind(self._chip, device.nwk, device.ieee, capabilities)
        content = device.nwk.to_bytes(2, "little") + device.ieee + bytes((capabilities,))
        air_api.zdo_msg_cb_incoming(self._chip, device.nwk, DEVICE_ANNOUNCE, 0, content, broadcast=True)

    # -- the air ------------------------------------------------------------------------------------------------------

    def _hears(self, device: EndDevice) -> bool:
        return self._chip.listening and device.network == self._chip.nvram.network

    def zdo(self, device: EndDevice, cluster: int, number: int, data: bytes) -> bool:
        if not self._hears(device):
            return False
        air_api.zdo_msg_cb_incoming(self._chip, device.nwk, cluster, number, data)
        return True

    def zcl(self, device: EndDevice, endpoint: int, cluster: int, frame: bytes) -> bool:
        if not self._hears(device) or not self._chip.endpoints:
            return False
        self._last_sent_mono_s = time.monotonic()
        air_api.af_incoming_msg(self._chip, device.nwk, endpoint, cluster, frame)
        return True

    def later(self, delay_s: float, call: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(delay_s, call)

    def left(self, device: EndDevice) -> None:
        """Take a device out of its network; it would have to be paired again."""
        if self._hears(device):
            air_api.zdo_leave_ind(self._chip, device.nwk, device.ieee)
        self.devices.pop(device.address, None)
        self.remember()

    def _transmit(self, request: Request) -> None:
        device = next((d for d in self.devices.values() if request.destination in (d.nwk, d.ieee)), None)
        if device is None or not self._hears(device):
            self._confirm(HOP_S, NO_ROUTE, request)
            return
        wait_s = HOP_S + (0.0 if device.poll_s == 0 else device.poll_s - time.monotonic() % device.poll_s)
        if device.silent or wait_s > HELD_S:
            self._confirm(HELD_S, TRANSACTION_EXPIRED, request)
            return
        self._confirm(wait_s, SUCCESS, request)
        self.later(wait_s, lambda: self._deliver(device, request))

    def _broadcast(self, cluster: int, data: bytes) -> None:
        """Of the broadcasts only the search for an address is answered, by the device it names (ZSPEC, 2.4.3.1.2)."""
        if cluster != IEEE_ADDRESS:
            return
        wanted = int.from_bytes(data[1:3], "little")
        for device in self.devices.values():
            if device.nwk == wanted and not device.silent and self._hears(device):
                device.on_zdo(cluster, data[0], data[1:])

    def _confirm(self, delay_s: float, status: int, request: Request) -> None:
        if request.endpoint:  # requests to a device's ZDO are not confirmed to an endpoint
            self.later(delay_s, lambda: air_api.af_data_confirm(
                self._chip, status, request.source_endpoint, request.number))

    def _deliver(self, device: EndDevice, request: Request) -> None:
        if device.silent or not self._hears(device):
            return
        if request.endpoint:
            device.on_zcl(request.endpoint, request.cluster, request.data)
        else:
            device.on_zdo(request.cluster, request.data[0], request.data[1:])
        self.remember()

    # -- for the control socket ---------------------------------------------------------------------------------------

    def table(self) -> list[dict[str, Any]]:
        """Every device, joined or waiting to join, JSON-able."""
        return [{"profile": device.name, "ieee": device.address, "nwk": device.nwk,
                 "joined": device.network is not None, "enrolled": device.enrolled, "silent": device.silent,
                 "took": [[cluster, number, payload.hex()] for cluster, number, payload in device.took]}
                for device in [*self.devices.values(), *self._pairing]]
