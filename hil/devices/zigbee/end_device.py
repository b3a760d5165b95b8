"""One end device: its ZDO and ZCL servers, its enrolment and its reports, as bytes in and bytes out.

Theory (ZCL, 8.2). A zone is born not enrolled and says nothing. The CIE (the coordinator) writes its own address to
CIE_ADDRESS; then either side speaks first: the device asks with Zone Enroll Request, or the CIE sends Zone Enroll
Response unasked ("auto-enroll-response"). A response with code 0 sets ZONE_STATE to 1, and from then on every change
of ZONE_STATUS is notified. A factory reset, a leave or a new CIE address undoes the enrolment.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from hil.devices.zigbee import zcl
from hil.devices.zigbee.nvram import Network
from hil.devices.zigbee.profiles import (
    BATTERY_PERCENT,
    CIE_ADDRESS,
    HOME_AUTOMATION,
    IAS_WD,
    IAS_ZONE,
    MAINS_ROUTER,
    ON_OFF,
    POWER,
    PROFILES,
    TUYA,
    ZONE_ID,
    ZONE_STATE,
    ZONE_STATUS,
    ZONE_TYPE,
    Profile,
)

# ZDO clusters (ZSPEC, table 2-43); a response is its request with bit 15 set
NODE_DESCRIPTOR, SIMPLE_DESCRIPTOR, ACTIVE_ENDPOINTS = 0x0002, 0x0004, 0x0005
NWK_ADDRESS, IEEE_ADDRESS, BIND, LEAVE = 0x0000, 0x0001, 0x0021, 0x0034
ZDO_SUCCESS, ZDO_NOT_SUPPORTED = 0x00, 0x84

ENROLL_RESPONSE, ENROLL_REQUEST, STATUS_CHANGE = 0x00, 0x01, 0x00  # ZCL, 8.2.2.3 and 8.2.2.4
ENROLL_REQUEST_DELAY_S = 0.05
POINTS, POINT_VALUE = 0x02, 0x02  # Tuya: report of datapoints, type of a 4-byte number
TUYA_SPELL = bytes.fromhex("040000000100050007 00feff")  # Basic's attributes in the order of Tuya's own gateway
SIMPLE_COMMANDS = {IAS_WD: {0x00, 0x01}, ON_OFF: {0x00, 0x01, 0x02}, TUYA: {0x00, 0x03}}  # what servers take


class Air(Protocol):
    """What carries a device's frames to the coordinator; False where nobody takes them."""

    def zdo(self, device: "EndDevice", cluster: int, number: int, data: bytes) -> bool: ...

    def zcl(self, device: "EndDevice", endpoint: int, cluster: int, frame: bytes) -> bool: ...

    def later(self, delay_s: float, call: Callable[[], object]) -> None: ...

    def left(self, device: "EndDevice") -> None: ...


@dataclass
class EndDevice:
    """A device in the flat. `network` is the one it has joined, None before and after."""

    name: str
    ieee: bytes
    air: Air
    nwk: int = 0xFFFE
    network: Network | None = None
    silent: bool = False
    poll_s: float = 0.0  # how often it asks its parent for frames; 0: at once
    attributes: dict[tuple[int, int], zcl.Value] = field(default_factory=dict)
    bindings: set[int] = field(default_factory=set)
    reporting: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    spelled: bool = False  # Tuya's read of Basic has been seen
    took: list[tuple[int, int, bytes]] = field(default_factory=list)  # (cluster, command, payload) of what it was told
    _number: int = 0

    def __post_init__(self) -> None:
        if not self.attributes:
            self.factory_reset()

    @property
    def profile(self) -> Profile:
        return PROFILES[self.name]

    @property
    def address(self) -> str:
        return self.ieee[::-1].hex(":")

    @property
    def enrolled(self) -> bool:
        state = self.attributes.get((IAS_ZONE, ZONE_STATE))
        return state is not None and state.number == 1

    def factory_reset(self) -> None:
        """Forget network, bindings, reporting and enrolment; the sensor's own level stays."""
        level = self.attributes.get((IAS_ZONE, ZONE_STATUS))
        self.attributes = dict(self.profile.attributes)
        if level is not None:
            self.attributes[IAS_ZONE, ZONE_STATUS] = level
        self.network, self.nwk = None, 0xFFFE
        self.bindings, self.reporting, self.spelled = set(), {}, False

    # -- what a person or a battery does ------------------------------------------------------------------------------

    def set_zone(self, bits: int) -> bool:
        """Let the sensor see something; True if a notification went on the air."""
        self.attributes[IAS_ZONE, ZONE_STATUS] = zcl.bitmap16(bits)
        if not self.enrolled or self.silent:
            return False
        zone_id = self.attributes[IAS_ZONE, ZONE_ID].number
        payload = struct.pack("<HBBH", bits, 0, zone_id, 0)  # status, extended status, zone id, delay
        return self._send(IAS_ZONE, zcl.CLUSTER_SPECIFIC | zcl.TO_CLIENT, STATUS_CHANGE, payload)

    def set_battery(self, half_percent: int) -> bool:
        """Let the battery drain; True if a report went on the air."""
        return self.set_attribute(POWER, BATTERY_PERCENT, half_percent)

    def set_attribute(self, cluster: int, attribute: int, number: int) -> bool:
        """Let a measured value change; True if a report went on the air."""
        kind = self.attributes[cluster, attribute].type
        value = zcl.Value(kind, number.to_bytes(zcl.SIZE_OF[kind], "little", signed=number < 0))
        self.attributes[cluster, attribute] = value
        wanted = (cluster, attribute) in self.reporting and cluster in self.bindings and not self.profile.only_asked
        if self.silent or not (wanted or self.profile.own_rhythm or cluster >= 0xFC00):
            return False
        return self.report(cluster, attribute, value)

    def report(self, cluster: int, attribute: int, value: zcl.Value) -> bool:
        """Report a value, asked or not."""
        payload = struct.pack("<HB", attribute, value.type) + value.raw
        return self._send(cluster, zcl.TO_CLIENT | zcl.NO_DEFAULT_RESPONSE, zcl.REPORT, payload)

    def set_points(self, points: list[tuple[int, int, int]]) -> bool:
        """Let Tuya datapoints (number, type, value) change; nothing goes on the air before the spell."""
        if self.silent or not self.spelled:
            return False
        records = b"".join(struct.pack(">BBH", number, kind, size) + value.to_bytes(size, "big")
                           for number, kind, value in points for size in (4 if kind == POINT_VALUE else 1,))
        return self._send(TUYA, zcl.CLUSTER_SPECIFIC | zcl.TO_CLIENT, POINTS, b"\x00\x01" + records)

    def press(self, cluster: int, command: int, payload: bytes = b"") -> bool:
        """Send a command as a client, which a button does once its cluster is bound."""
        if self.silent or cluster not in self.bindings:
            return False
        return self._send(cluster, zcl.CLUSTER_SPECIFIC, command, payload)

    # -- ZDO ----------------------------------------------------------------------------------------------------------

    def on_zdo(self, cluster: int, number: int, data: bytes) -> None:
        """Answer a ZDO request (ZSPEC, 2.4.3 and 2.4.4)."""
        own = struct.pack("<H", self.nwk)
        profile = self.profile
        if cluster == NODE_DESCRIPTOR:
            router, end_device, band_2400_mhz, buffer = 0x01, 0x02, 0x40, 82
            kind = router if profile.capabilities == MAINS_ROUTER else end_device
            answer = own + struct.pack("<BBBHBHHHB", kind, band_2400_mhz, profile.capabilities,
                                       profile.manufacturer_code, buffer, buffer, 0, buffer, 0)
        elif cluster == ACTIVE_ENDPOINTS:
            answer = own + bytes((1, profile.endpoint))
        elif cluster == SIMPLE_DESCRIPTOR:
            simple = struct.pack("<BHHB", profile.endpoint, HOME_AUTOMATION, profile.device_id, 0)
            simple += _clusters(profile.servers) + _clusters(profile.clients)
            answer = own + bytes((len(simple),)) + simple
        elif cluster in (NWK_ADDRESS, IEEE_ADDRESS):
            answer = self.ieee + own
        elif cluster == BIND:
            self.bindings.add(int.from_bytes(data[9:11], "little"))
            answer = b""
        elif cluster == LEAVE:
            answer = b""
            self.air.later(0.1, lambda: self.air.left(self))
        else:
            self.air.zdo(self, cluster | 0x8000, number, bytes((ZDO_NOT_SUPPORTED,)))
            return
        self.air.zdo(self, cluster | 0x8000, number, bytes((ZDO_SUCCESS,)) + answer)

    # -- ZCL ----------------------------------------------------------------------------------------------------------

    def on_zcl(self, endpoint: int, cluster: int, frame: bytes) -> None:
        """Serve one ZCL frame sent to `endpoint`."""
        head, payload = zcl.parse(frame)
        if endpoint != self.profile.endpoint:
            return
        if head.control & zcl.TO_CLIENT:  # to a client of ours, such as OTA's, whose attributes are not modelled
            if head.command == zcl.READ and not head.cluster_specific:
                unsupported = [payload[at:at + 2] + bytes((zcl.UNSUPPORTED_ATTRIBUTE,))
                               for at in range(0, len(payload), 2)]
                self.air.zcl(self, endpoint, cluster, zcl.build(
                    zcl.NO_DEFAULT_RESPONSE, head.number, zcl.READ_RESPONSE, b"".join(unsupported)))
            return
        if head.cluster_specific:
            status = zcl.UNSUP_COMMAND
            if (cluster, head.command) == (IAS_ZONE, ENROLL_RESPONSE) and self._has(IAS_ZONE):
                self._enroll(payload)
                status = zcl.SUCCESS
            elif head.command in SIMPLE_COMMANDS.get(cluster, ()) and self._has(cluster):
                self.took.append((cluster, head.command, payload))
                status = zcl.SUCCESS
            if status != zcl.SUCCESS or not head.control & zcl.NO_DEFAULT_RESPONSE:
                self._answer(cluster, head, zcl.DEFAULT_RESPONSE, bytes((head.command, status)))
        elif head.command == zcl.READ:
            self.spelled |= self.profile.spell and (cluster, payload) == (0x0000, TUYA_SPELL)
            self._answer(cluster, head, zcl.READ_RESPONSE, self._read(cluster, payload))
        elif head.command == zcl.WRITE:
            self._answer(cluster, head, zcl.WRITE_RESPONSE, self._write(cluster, payload))
        elif head.command == zcl.CONFIGURE_REPORTING:
            self._answer(cluster, head, zcl.CONFIGURE_REPORTING_RESPONSE, self._configure(cluster, payload))
        elif head.command != zcl.DEFAULT_RESPONSE:
            self._answer(cluster, head, zcl.DEFAULT_RESPONSE, bytes((head.command, zcl.UNSUP_COMMAND)))

    def _has(self, cluster: int) -> bool:
        return cluster in self.profile.servers

    def _read(self, cluster: int, payload: bytes) -> bytes:
        answer = b""
        for (attribute,) in struct.iter_unpack("<H", payload):
            value = self.attributes.get((cluster, attribute))
            answer += struct.pack("<H", attribute)
            answer += bytes((zcl.UNSUPPORTED_ATTRIBUTE,)) if value is None else (
                bytes((zcl.SUCCESS, value.type)) + value.raw)
        return answer

    def _write(self, cluster: int, payload: bytes) -> bytes:
        failed, at = b"", 0
        while at < len(payload):
            attribute, kind = struct.unpack_from("<HB", payload, at)
            size = zcl.value_size(kind, payload, at + 3)
            raw, at = payload[at + 3:at + 3 + size], at + 3 + size
            if (cluster, attribute) != (IAS_ZONE, CIE_ADDRESS) or not self._has(IAS_ZONE):
                failed += bytes((zcl.UNSUPPORTED_ATTRIBUTE,)) + struct.pack("<H", attribute)
                continue
            if raw != self.attributes[IAS_ZONE, CIE_ADDRESS].raw:
                self.attributes[IAS_ZONE, ZONE_STATE] = zcl.enum8(0)
            self.attributes[IAS_ZONE, CIE_ADDRESS] = zcl.eui64(raw)
            self.air.later(ENROLL_REQUEST_DELAY_S, self._ask_enrolment)
        return failed or bytes((zcl.SUCCESS,))

    def _configure(self, cluster: int, payload: bytes) -> bytes:
        failed, at = b"", 0
        while at < len(payload):
            attribute, kind, least_s, most_s = struct.unpack_from("<xHBHH", payload, at)
            at += 8 + (zcl.SIZE_OF[kind] if kind in zcl.ANALOG else 0)
            if (cluster, attribute) in self.attributes and not self.profile.own_rhythm:
                self.reporting[cluster, attribute] = (least_s, most_s)
            else:
                failed += bytes((zcl.UNSUPPORTED_ATTRIBUTE, 0)) + struct.pack("<H", attribute)
        return failed or bytes((zcl.SUCCESS,))

    def _ask_enrolment(self) -> None:
        if not self.enrolled and not self.silent:
            payload = self.attributes[IAS_ZONE, ZONE_TYPE].raw + struct.pack("<H", self.profile.manufacturer_code)
            self._send(IAS_ZONE, zcl.CLUSTER_SPECIFIC | zcl.TO_CLIENT, ENROLL_REQUEST, payload)

    def _enroll(self, payload: bytes) -> None:
        code, zone_id = payload[0], payload[1]
        if code == 0 and any(self.attributes[IAS_ZONE, CIE_ADDRESS].raw):
            self.attributes[IAS_ZONE, ZONE_STATE] = zcl.enum8(1)
            self.attributes[IAS_ZONE, ZONE_ID] = zcl.uint8(zone_id)

    def _send(self, cluster: int, control: int, command: int, payload: bytes) -> bool:
        self._number = (self._number + 1) & 0xFF
        frame = zcl.build(control, self._number, command, payload)
        return self.air.zcl(self, self.profile.endpoint, cluster, frame)

    def _answer(self, cluster: int, head: zcl.Header, command: int, payload: bytes) -> None:
        frame = zcl.build(zcl.TO_CLIENT | zcl.NO_DEFAULT_RESPONSE, head.number, command, payload)
        self.air.zcl(self, self.profile.endpoint, cluster, frame)

    # -- memory -------------------------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return everything that survives, JSON-able."""
        network = self.network
        return {
            "profile": self.name, "ieee": self.address, "nwk": self.nwk, "number": self._number,
            "network": None if network is None else [network.channel, network.pan_id, network.ext_pan_id.hex(),
                                                     network.key.hex()],
            "attributes": [[*key, value.type, value.raw.hex()] for key, value in self.attributes.items()],
            "bindings": sorted(self.bindings), "spelled": self.spelled,
            "reporting": [[*key, *times] for key, times in self.reporting.items()],
        }


def revive(saved: dict[str, Any], air: Air) -> EndDevice:
    """Make the device that `dump` described."""
    device = EndDevice(
        saved["profile"], bytes.fromhex(saved["ieee"].replace(":", ""))[::-1], air, saved["nwk"],
        attributes={(cluster, attribute): zcl.Value(kind, bytes.fromhex(raw))
                    for cluster, attribute, kind, raw in saved["attributes"]},
        bindings=set(saved["bindings"]),
        reporting={(cluster, attribute): (least, most) for cluster, attribute, least, most in saved["reporting"]},
        spelled=saved["spelled"], _number=saved["number"],
    )
    if saved["network"] is not None:
        channel, pan_id, ext_pan_id, key = saved["network"]
        device.network = Network(channel, pan_id, bytes.fromhex(ext_pan_id), bytes.fromhex(key))
    return device


def _clusters(clusters: tuple[int, ...]) -> bytes:
    return bytes((len(clusters),)) + struct.pack(f"<{len(clusters)}H", *clusters)
