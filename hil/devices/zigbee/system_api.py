"""The MT commands of SYS, UTIL and APP_CNF (MT, 3.8, 3.10 and 3.2)."""

import struct

from hil.devices.zigbee import nvram
from hil.devices.zigbee.coordinator import CODE_REVISION, VERSION, Coordinator, command
from hil.devices.zigbee.frames import APP_CNF, AREQ, SREQ, SYS, UTIL, ZDO
from hil.devices.zigbee.install_code import link_key

SUCCESS, FAILURE, INVALID_PARAMETER, NV_ITEM_UNINIT, NV_OPER_FAILED = 0x00, 0x01, 0x02, 0x09, 0x0A
NV_CHUNK = 244  # bytes of value that fit into one frame
CAPABILITIES = 0x0659  # SYS, AF, ZDO, UTIL, GP, APP_CNF: what a CC2652's coordinator firmware answers
ASSOCIATED_DEVICE_SIZE = 36  # of associated_devices_t, aligned; tells the host how this chip packs structures
NOT_USED = 0xFF  # nodeRelation of an empty entry
STARTED_AS_COORDINATOR, STARTING_AS_COORDINATOR = 9, 8  # devStates_t (MT, 3.12.2.19)
FORMATION, NO_MODE_LEFT = 0x04, 0x00  # BDB commissioning modes
BDB_SUCCESS, BDB_IN_PROGRESS, BDB_NETWORK_RESTORED = 0x00, 0x01, 0x0D
INITIALIZATION = 0x00
WITH_CHECKSUM = 0x01  # format of an install code: as printed; 0x02: the key made of it


@command(AREQ | SYS, 0x00)
def sys_reset_req(chip: Coordinator, _: bytes) -> None:
    chip.reset()


@command(SREQ | SYS, 0x01)
def sys_ping(chip: Coordinator, _: bytes) -> None:
    chip.respond(SYS, 0x01, struct.pack("<H", CAPABILITIES))


@command(SREQ | SYS, 0x02)
def sys_version(chip: Coordinator, _: bytes) -> None:
    chip.respond(SYS, 0x02, VERSION + struct.pack("<IBI", CODE_REVISION, 0, 0xFFFFFFFF))


@command(SREQ | SYS, 0x04)
def sys_get_extaddr(chip: Coordinator, _: bytes) -> None:
    chip.respond(SYS, 0x04, chip.nvram.ieee)


@command(SREQ | SYS, 0x07)
def sys_osal_nv_item_init(chip: Coordinator, data: bytes) -> None:
    item, size, given = struct.unpack_from("<HHB", data)
    if item in chip.nvram.items:
        chip.respond(SYS, 0x07, bytes((SUCCESS,)))
        return
    chip.nvram.items[item] = data[5:5 + given].ljust(size, b"\xff")
    chip.respond(SYS, 0x07, bytes((NV_ITEM_UNINIT,)))


@command(SREQ | SYS, 0x08)
def sys_osal_nv_read(chip: Coordinator, data: bytes) -> None:
    _read_item(chip, 0x08, data[2], data)


@command(SREQ | SYS, 0x1C)
def sys_osal_nv_read_ext(chip: Coordinator, data: bytes) -> None:
    _read_item(chip, 0x1C, int.from_bytes(data[2:4], "little"), data)


def _read_item(chip: Coordinator, cmd1: int, offset: int, data: bytes) -> None:
    value = chip.nvram.items.get(int.from_bytes(data[:2], "little"))
    if value is None or offset > len(value):
        chip.respond(SYS, cmd1, bytes((INVALID_PARAMETER, 0)))
        return
    part = value[offset:offset + NV_CHUNK]
    chip.respond(SYS, cmd1, bytes((SUCCESS, len(part))) + part)


@command(SREQ | SYS, 0x09)
def sys_osal_nv_write(chip: Coordinator, data: bytes) -> None:
    item, offset, size = struct.unpack_from("<HBB", data)
    _write_item(chip, 0x09, item, offset, data[4:4 + size])


@command(SREQ | SYS, 0x1D)
def sys_osal_nv_write_ext(chip: Coordinator, data: bytes) -> None:
    item, offset, size = struct.unpack_from("<HHH", data)
    _write_item(chip, 0x1D, item, offset, data[6:6 + size])


def _write_item(chip: Coordinator, cmd1: int, item: int, offset: int, part: bytes) -> None:
    value = chip.nvram.items.get(item)
    if value is None or offset + len(part) > len(value):
        chip.respond(SYS, cmd1, bytes((INVALID_PARAMETER,)))
        return
    chip.nvram.items[item] = value[:offset] + part + value[offset + len(part):]
    chip.nvram.save()
    chip.respond(SYS, cmd1)


@command(SREQ | SYS, 0x12)
def sys_osal_nv_delete(chip: Coordinator, data: bytes) -> None:
    gone = chip.nvram.items.pop(int.from_bytes(data[:2], "little"), None)
    chip.respond(SYS, 0x12, bytes((NV_ITEM_UNINIT if gone is None else SUCCESS,)))


@command(SREQ | SYS, 0x13)
def sys_osal_nv_length(chip: Coordinator, data: bytes) -> None:
    value = chip.nvram.items.get(int.from_bytes(data[:2], "little"), b"")
    chip.respond(SYS, 0x13, struct.pack("<H", len(value)))


@command(SREQ | SYS, 0x14)
def sys_set_tx_power(chip: Coordinator, _: bytes) -> None:
    chip.respond(SYS, 0x14)


@command(SREQ | SYS, 0x30)
def sys_nv_create(chip: Coordinator, data: bytes) -> None:
    item, sub, size = struct.unpack_from("<xHHI", data)
    fresh = (item, sub) not in chip.nvram.tables
    chip.nvram.tables.setdefault((item, sub), b"\xff" * size)
    chip.respond(SYS, 0x30, bytes((NV_ITEM_UNINIT if fresh else SUCCESS,)))


@command(SREQ | SYS, 0x31)
def sys_nv_delete(chip: Coordinator, data: bytes) -> None:
    gone = chip.nvram.tables.pop(struct.unpack_from("<xHH", data), None)
    chip.respond(SYS, 0x31, bytes((NV_OPER_FAILED if gone is None else SUCCESS,)))


@command(SREQ | SYS, 0x32)
def sys_nv_length(chip: Coordinator, data: bytes) -> None:
    value = chip.nvram.tables.get(struct.unpack_from("<xHH", data), b"")
    chip.respond(SYS, 0x32, struct.pack("<I", len(value)))


@command(SREQ | SYS, 0x33)
def sys_nv_read(chip: Coordinator, data: bytes) -> None:
    item, sub, offset, size = struct.unpack_from("<xHHHB", data)
    value = chip.nvram.tables.get((item, sub))
    if value is None:
        chip.respond(SYS, 0x33, bytes((FAILURE, 0)))
        return
    part = value[offset:offset + min(size, NV_CHUNK)]
    chip.respond(SYS, 0x33, bytes((SUCCESS, len(part))) + part)


@command(SREQ | SYS, 0x34)
def sys_nv_write(chip: Coordinator, data: bytes) -> None:
    item, sub, offset, size = struct.unpack_from("<xHHHB", data)
    value = chip.nvram.tables.get((item, sub))
    if value is None or offset + size > len(value):
        chip.respond(SYS, 0x34, bytes((FAILURE,)))
        return
    chip.nvram.tables[item, sub] = value[:offset] + data[8:8 + size] + value[offset + size:]
    chip.nvram.save()
    chip.respond(SYS, 0x34)


@command(SREQ | UTIL, 0x0A)
def util_led_control(_: Coordinator, __: bytes) -> None:
    """Z-Stack built without LEDs never answers this one."""


@command(SREQ | UTIL, 0x49)
def util_assoc_find_device(chip: Coordinator, _: bytes) -> None:
    chip.respond(UTIL, 0x49, b"\xff" * ASSOCIATED_DEVICE_SIZE)


@command(SREQ | UTIL, 0x4A)
def util_assoc_get_with_address(chip: Coordinator, _: bytes) -> None:
    """Every device here is reached through the network, none is the chip's own child."""
    chip.respond(UTIL, 0x4A, struct.pack("<HHB", 0xFFFF, 0, NOT_USED).ljust(ASSOCIATED_DEVICE_SIZE, b"\x00"))


@command(SREQ | APP_CNF, 0x05)
def app_cnf_bdb_start_commissioning(chip: Coordinator, _: bytes) -> None:
    """Restore the network of NVRAM, or form one; the host follows the steps by the notifications."""
    chip.respond(APP_CNF, 0x05)
    chip.running = True
    if chip.nvram.formed:
        _state(chip, STARTED_AS_COORDINATOR)
        _bdb(chip, BDB_NETWORK_RESTORED, INITIALIZATION, FORMATION)
    else:
        chip.nvram.form()
        _state(chip, STARTING_AS_COORDINATOR)
        _bdb(chip, BDB_IN_PROGRESS, 0x02, FORMATION)
        _state(chip, STARTED_AS_COORDINATOR)
    _bdb(chip, BDB_SUCCESS, 0x02, NO_MODE_LEFT)


def _state(chip: Coordinator, state: int) -> None:
    chip.send(AREQ | ZDO, 0xC0, bytes((state,)))


def _bdb(chip: Coordinator, status: int, mode: int, left: int) -> None:
    chip.send(AREQ | APP_CNF, 0x80, bytes((status, mode, left)))


@command(SREQ | APP_CNF, 0x04)
def app_cnf_bdb_add_installcode(chip: Coordinator, data: bytes) -> None:
    form, ieee, code = data[0], data[1:9], data[9:]
    chip.link_keys[ieee] = link_key(code) if form == WITH_CHECKSUM else code
    chip.respond(APP_CNF, 0x04)


@command(SREQ | APP_CNF, 0x08)
def app_cnf_bdb_set_channel(chip: Coordinator, data: bytes) -> None:
    primary, mask = data[0], data[1:5]
    if primary:
        chip.nvram.items[nvram.CHANNELS] = mask
    chip.respond(APP_CNF, 0x08)
