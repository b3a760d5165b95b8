"""What survives a power cut: the chip's non-volatile items and the flat's end devices, in one JSON file.

items    legacy OSAL items: id -> bytes (MT, 3.8.1.6 ff.; ids in Z-Stack's ZComDef.h)
tables   extended items of the Z-Stack system: (item, sub) -> bytes (MT, SYS_NV_CREATE ff.)
flat     one JSON object an end device, written by end_device
The file is replaced whole on every save, so that a killed process leaves the old or the new one.
"""

import json
import os
import secrets
import struct
from pathlib import Path
from typing import Any, NamedTuple

EXT_ADDR, STARTUP_OPTION, NIB, EXT_PAN_ID = 0x0001, 0x0003, 0x0021, 0x002D
CONCENTRATOR_ENABLE, CONCENTRATOR_DISCOVERY, CONCENTRATOR_RC = 0x0032, 0x0033, 0x0036
SRC_RTG_EXPIRY, ACTIVE_KEY, ALTERNATE_KEY, BCAST_DELIVERY = 0x0038, 0x003A, 0x003B, 0x003E
CHILD_AGE_ENABLE, APS_USE_EXT_PAN_ID, APS_LINK_KEYS, ON_NETWORK = 0x0030, 0x0047, 0x004C, 0x0055
PRECONFIGURED_KEY, KEYS_ENABLE, PAN_ID, CHANNELS, LOGICAL_TYPE, ZDO_DIRECT_CB, TCLK_SEED = (
    0x0062, 0x0063, 0x0083, 0x0084, 0x0087, 0x008F, 0x0101)

ADDRESSES, TRUST_LINK_KEYS, APS_KEYS, SECURITY_MATERIAL = 0x0001, 0x0004, 0x0006, 0x0007

CLEAR_STATE = 0x02  # of STARTUP_OPTION: forget the network at the next reset (MT, 2.4)
NIB_SIZE = 116
DEFAULT_CHANNEL_MASK = 0x0800  # channel 11
FIRST_CHANNEL, LAST_CHANNEL = 11, 26


class Network(NamedTuple):
    """What tells one Zigbee network from every other."""

    channel: int
    pan_id: int
    ext_pan_id: bytes
    key: bytes


class Nvram:
    """The items of a chip whose factory address is `ieee` (little-endian, as on the air)."""

    def __init__(self, path: Path, ieee: bytes) -> None:
        self._path, self._ieee = path, ieee
        self.items: dict[int, bytes] = {}
        self.tables: dict[tuple[int, int], bytes] = {}
        self.flat: list[dict[str, Any]] = []
        if path.exists():
            self._load()
        else:
            self._factory()

    def _factory(self) -> None:
        self.items = {
            EXT_ADDR: self._ieee, STARTUP_OPTION: b"\x00", PAN_ID: b"\xff\xff", CHANNELS: bytes(4),
            PRECONFIGURED_KEY: secrets.token_bytes(16), KEYS_ENABLE: b"\x00", LOGICAL_TYPE: b"\x00",
            ZDO_DIRECT_CB: b"\x01", CONCENTRATOR_ENABLE: b"\x01", CONCENTRATOR_DISCOVERY: b"\x78",
            CONCENTRATOR_RC: b"\x01", SRC_RTG_EXPIRY: b"\xff", BCAST_DELIVERY: b"\x1e", CHILD_AGE_ENABLE: b"\x00",
            APS_USE_EXT_PAN_ID: bytes(8), EXT_PAN_ID: self._ieee, APS_LINK_KEYS: bytes(20),
            TCLK_SEED: secrets.token_bytes(16),
        }
        self.forget_network()

    def forget_network(self) -> None:
        """Do what CLEAR_STATE asks for: no network, empty tables."""
        self.items[NIB] = _nib(own_address=0xFFFE, network=Network(0, 0xFFFF, bytes(8), b""), formed=False)
        self.items[ACTIVE_KEY] = self.items[ALTERNATE_KEY] = bytes(17)
        self.items[ON_NETWORK] = b"\x00"
        self.items.setdefault(TCLK_SEED, secrets.token_bytes(16))
        self.tables = {(ADDRESSES, sub): b"\xff" * 12 for sub in range(16)}
        self.tables |= {(TRUST_LINK_KEYS, sub): bytes(20) for sub in range(16)}
        self.tables |= {(APS_KEYS, sub): bytes(24) for sub in range(4)}
        self.tables |= {(SECURITY_MATERIAL, sub): bytes(12) for sub in range(4)}

    def boot(self) -> None:
        """Do what the chip does with its items at every reset."""
        if self.items.get(STARTUP_OPTION, b"\x00")[0] & CLEAR_STATE:
            self.forget_network()
            self.items[STARTUP_OPTION] = b"\x00"
        self.items.setdefault(EXT_ADDR, self._ieee)
        self.save()

    def form(self) -> None:
        """Form a network from CHANNELS, PAN_ID, PRECONFIGURED_KEY and APS_USE_EXT_PAN_ID."""
        mask = int.from_bytes(self.items[CHANNELS], "little") or DEFAULT_CHANNEL_MASK
        channel = next(c for c in range(FIRST_CHANNEL, LAST_CHANNEL + 1) if mask >> c & 1)
        pan_id = int.from_bytes(self.items[PAN_ID], "little")
        if pan_id == 0xFFFF:  # "choose one"
            pan_id = secrets.randbelow(0xFFFD) + 1
        wanted = self.items[APS_USE_EXT_PAN_ID]
        network = Network(channel, pan_id, wanted if any(wanted) else self.items[EXT_ADDR],
                          self.items[PRECONFIGURED_KEY])
        self.items[NIB] = _nib(own_address=0, network=network, formed=True, mask=mask)
        self.items[ACTIVE_KEY] = self.items[ALTERNATE_KEY] = b"\x00" + network.key
        self.items[ON_NETWORK] = b"\x01"
        self.tables[SECURITY_MATERIAL, 0] = struct.pack("<I", 0) + network.ext_pan_id
        self.save()

    @property
    def formed(self) -> bool:
        return self.items.get(ON_NETWORK) == b"\x01"

    @property
    def network(self) -> Network:
        """The network of the NIB (nwk_globals.h, nwkIB_t, aligned to 4 bytes on this chip)."""
        nib = self.items[NIB]
        return Network(nib[24], int.from_bytes(nib[36:38], "little"), nib[57:65], self.items[ACTIVE_KEY][1:])

    @property
    def ieee(self) -> bytes:
        return self.items.get(EXT_ADDR, self._ieee)

    def save(self) -> None:
        """Write everything to the file."""
        content = {
            "items": {f"{item:04x}": value.hex() for item, value in self.items.items()},
            "tables": {f"{item:04x}.{sub:04x}": value.hex() for (item, sub), value in self.tables.items()},
            "flat": self.flat,
        }
        draft = self._path.with_name(self._path.name + ".new")
        draft.write_text(json.dumps(content, indent=1), encoding="ascii")
        os.replace(draft, self._path)

    def _load(self) -> None:
        content = json.loads(self._path.read_text(encoding="ascii"))
        self.items = {int(item, 16): bytes.fromhex(value) for item, value in content["items"].items()}
        for key, value in content["tables"].items():
            item, sub = key.split(".")
            self.tables[int(item, 16), int(sub, 16)] = bytes.fromhex(value)
        self.flat = content["flat"]


def _nib(own_address: int, network: Network, formed: bool, mask: int = 0) -> bytes:
    nib = bytearray(NIB_SIZE)
    struct.pack_into("<BBB", nib, 0, 0, 5, 2)  # sequence number, passive ack timeout, broadcast retries
    nib[4], nib[7] = 20, 30  # depth, broadcast delivery time in 100 ms
    nib[11:15] = bytes((1, 5, 1, 0x8F))  # secure all frames, security level, symmetric links, capabilities
    struct.pack_into("<HBBB", nib, 16, 7, 2, 13, 30)  # transaction persistence, protocol, route discovery, expiry
    struct.pack_into("<H", nib, 22, own_address)
    nib[24] = network.channel
    struct.pack_into("<H", nib, 36, network.pan_id)
    nib[38] = 8 if formed else 0  # nwkState: NWK_ROUTER
    struct.pack_into("<I", nib, 40, mask)
    nib[44] = nib[45] = 15  # beacon and superframe order: no beacons
    nib[57:65] = network.ext_pan_id
    nib[65] = formed  # key loaded
    return bytes(nib)
