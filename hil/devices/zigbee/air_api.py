"""The MT commands of AF and ZDO (MT, 3.1 and 3.12): registering, sending, opening the network."""

import asyncio
import struct
from contextlib import suppress

from hil.devices.zigbee.coordinator import Coordinator, Request, command
from hil.devices.zigbee.end_device import ACTIVE_ENDPOINTS, NODE_DESCRIPTOR, SIMPLE_DESCRIPTOR, ZDO_NOT_SUPPORTED
from hil.devices.zigbee.frames import AF, AREQ, SREQ, ZDO
from hil.devices.zigbee.nvram import FIRST_CHANNEL, LAST_CHANNEL

OWN_ADDRESS = 0x0000
ADDRESS_16, ADDRESS_64, BROADCAST = 0x02, 0x03, 0x0F  # address modes (MT, AF_DATA_REQUEST_EXT)
MGMT_PERMIT_JOINING, MGMT_NWK_UPDATE = 0x0036, 0x0038
LONGEST_ENERGY_SCAN = 5  # a larger duration is a command, not a scan (ZSPEC, 2.4.3.3.9)
QUIET_DBM, BUSY_DBM = 20, 170  # energy as the chip reports it, 0..255: Wi-Fi sits on the low channels
TEXAS_INSTRUMENTS = 0x0007


@command(SREQ | AF, 0x00)
def af_register(chip: Coordinator, data: bytes) -> None:
    endpoint, profile, device, version, _latency, servers = struct.unpack_from("<BHHBBB", data)
    clients_at = 8 + 2 * servers
    head = struct.pack("<BHHB", endpoint, profile, device, version)
    chip.endpoints[endpoint] = head + bytes((servers,)) + data[8:clients_at] + data[clients_at:]
    chip.respond(AF, 0x00)


@command(SREQ | AF, 0x02)
def af_data_request_ext(chip: Coordinator, data: bytes) -> None:
    mode, address, endpoint, _pan, source, cluster, number, _options, _radius, size = struct.unpack_from(
        "<B8sBHBHBBBH", data)
    chip.respond(AF, 0x02)
    payload = data[20:20 + size]
    short = int.from_bytes(address[:2], "little")
    if mode == ADDRESS_16 and short == OWN_ADDRESS:
        if endpoint == 0:
            _own_zdo(chip, cluster, payload)
    elif mode == BROADCAST and endpoint == 0:
        chip.broadcast(cluster, payload)
    elif mode in (ADDRESS_16, ADDRESS_64):
        chip.transmit(Request(short if mode == ADDRESS_16 else address, endpoint, source, cluster, number, payload))


def af_data_confirm(chip: Coordinator, status: int, endpoint: int, number: int) -> None:
    """Tell the host what became of a request (MT, 3.1.2.1)."""
    chip.send(AREQ | AF, 0x80, bytes((status, endpoint, number)))


def af_incoming_msg(chip: Coordinator, source: int, endpoint: int, cluster: int, frame: bytes) -> float:
    """Hand a ZCL frame to the host (MT, 3.1.2.3); return the seconds until it is over the line."""
    group, broadcast, secure, lqi, number, radius = 0, 0, 0, 140, 0, 29
    ticks = int(asyncio.get_running_loop().time() / 0.00032) & 0xFFFFFFFF  # 320 us, the MAC's backoff period
    head = struct.pack("<HHHBBBBBIBB", group, cluster, source, endpoint, 1, broadcast, lqi, secure, ticks, number,
                       len(frame))
    return chip.send(AREQ | AF, 0x81, head + frame + struct.pack("<HB", source, radius))


def zdo_msg_cb_incoming(chip: Coordinator, source: int, cluster: int, number: int, data: bytes, *,
                        broadcast: bool = False) -> None:
    """Hand a ZDO message to a host that asked for them (MT, 3.12.2.29)."""
    if chip.wants_zdo:
        to = 0xFFFF if broadcast else OWN_ADDRESS
        chip.send(AREQ | ZDO, 0xFF, struct.pack("<HBHBBH", source, broadcast, cluster, 0, number, to) + data)


def zdo_end_device_annce_ind(chip: Coordinator, nwk: int, ieee: bytes, capabilities: int) -> None:
    chip.send(AREQ | ZDO, 0xC1, struct.pack("<HH8sB", nwk, nwk, ieee, capabilities))


def zdo_tc_dev_ind(chip: Coordinator, nwk: int, ieee: bytes) -> None:
    chip.send(AREQ | ZDO, 0xCA, struct.pack("<H8sH", nwk, ieee, OWN_ADDRESS))


def zdo_leave_ind(chip: Coordinator, nwk: int, ieee: bytes) -> None:
    chip.send(AREQ | ZDO, 0xC9, struct.pack("<H8sBBB", nwk, ieee, 0, 0, 0))  # not a request, no children, no rejoin


@command(SREQ | ZDO, 0x3E)
def zdo_msg_cb_register(chip: Coordinator, _: bytes) -> None:
    chip.wants_zdo = True
    chip.respond(ZDO, 0x3E)


@command(SREQ | ZDO, 0x45)
def zdo_ext_route_disc(chip: Coordinator, _: bytes) -> None:
    chip.respond(ZDO, 0x45)


@command(SREQ | ZDO, 0x46)
def zdo_ext_route_chk(chip: Coordinator, _: bytes) -> None:
    chip.respond(ZDO, 0x46)


@command(SREQ | ZDO, 0x4B)
def zdo_ext_remove_group(chip: Coordinator, _: bytes) -> None:
    chip.respond(ZDO, 0x4B)


@command(SREQ | ZDO, 0x36)
def zdo_mgmt_permit_join_req(chip: Coordinator, data: bytes) -> None:
    seconds = data[3]
    chip.permit_until_s = asyncio.get_running_loop().time() + seconds if seconds else 0.0
    chip.respond(ZDO, 0x36)
    chip.send(AREQ | ZDO, 0xB6, struct.pack("<HB", OWN_ADDRESS, 0))
    if chip.open:
        chip.opened()


def _own_zdo(chip: Coordinator, cluster: int, data: bytes) -> None:
    """Answer a ZDO request to the chip itself. `data` begins with the sequence number."""
    own = struct.pack("<BH", 0, OWN_ADDRESS)
    answer = bytes((ZDO_NOT_SUPPORTED,))
    if cluster == NODE_DESCRIPTOR:
        router_and_more, buffer, server_mask = 0x8F, 80, 0x2C01
        answer = own + struct.pack("<BBBHBHHHB", 0, 0x40, router_and_more, TEXAS_INSTRUMENTS, buffer, 160,
                                   server_mask, 160, 0)
    elif cluster == ACTIVE_ENDPOINTS:
        answer = own + bytes((len(chip.endpoints), *chip.endpoints))
    elif cluster == SIMPLE_DESCRIPTOR:
        with suppress(KeyError):
            simple = chip.endpoints[data[3]]
            answer = own + bytes((len(simple),)) + simple
    elif cluster == MGMT_PERMIT_JOINING:
        answer = b"\x00"
    elif cluster == MGMT_NWK_UPDATE and data[5] <= LONGEST_ENERGY_SCAN:
        mask = int.from_bytes(data[1:5], "little")
        channels = [c for c in range(FIRST_CHANNEL, LAST_CHANNEL + 1) if mask >> c & 1]
        energies = bytes(BUSY_DBM if channel < 14 else QUIET_DBM for channel in channels)
        answer = struct.pack("<BIHHB", 0, mask, 0, 0, len(energies)) + energies
    zdo_msg_cb_incoming(chip, OWN_ADDRESS, cluster | 0x8000, data[0], answer)
