"""The bench's own parts: MT frames, the chip's memory, and how an IAS zone behaves."""

import struct
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hil.devices.zigbee import zcl
from hil.devices.zigbee.end_device import EndDevice, revive
from hil.devices.zigbee.frames import MAX_DATA, SOF, Frame, Parser, encode
from hil.devices.zigbee.nvram import CHANNELS, CLEAR_STATE, NIB, STARTUP_OPTION, Network, Nvram

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=MAX_DATA))
QUIET = st.binary(max_size=20).map(lambda noise: noise.replace(bytes((SOF,)), b""))
CIE = bytes.fromhex("a8ef171e004b1200")


def test_a_ping_looks_as_texas_instruments_prints_it() -> None:
    assert encode(Frame(0x21, 0x01)) == bytes.fromhex("fe 00 21 01 20")  # MT, 3.8.1.2: SYS_PING


@given(st.lists(st.tuples(QUIET, FRAMES), max_size=8), st.integers(1, 64))
def test_every_frame_comes_out_however_it_was_cut(stream: list[tuple[bytes, Frame]], step: int) -> None:
    raw = b"".join(noise + encode(frame) for noise, frame in stream)
    parser = Parser()
    found = [frame for at in range(0, len(raw), step) for frame in parser.feed(raw[at:at + step])]
    assert found == [frame for _, frame in stream]
    assert parser.skipped_bytes == sum(len(noise) for noise, _ in stream)


@given(FRAMES, st.data())
def test_one_damaged_byte_never_passes_as_the_frame(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode(frame))
    at = data.draw(st.integers(1, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert frame not in Parser().feed(bytes(raw))


@given(st.binary(max_size=600))
def test_noise_never_stops_the_parser(noise: bytes) -> None:
    parser = Parser()
    parser.feed(noise)
    filler = encode(Frame(0x21, 0x01)) * 60  # longer than any frame that the noise may have begun
    assert parser.feed(filler)[-1] == Frame(0x21, 0x01)


def test_a_network_survives_the_process_and_not_the_clear_state_option(tmp_path: Path) -> None:
    nvram = Nvram(tmp_path / "nv", bytes(8))
    nvram.items[CHANNELS] = struct.pack("<I", 1 << 20)
    nvram.form()
    again = Nvram(tmp_path / "nv", bytes(8))
    assert again.formed
    assert again.network == nvram.network
    assert again.network.channel == 20
    again.items[STARTUP_OPTION] = bytes((CLEAR_STATE,))
    again.boot()
    assert not Nvram(tmp_path / "nv", bytes(8)).formed
    assert len(again.items[NIB]) == 116


class Ether:
    """Air that keeps what is sent and lets delayed things happen at once."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def zdo(self, device: EndDevice, cluster: int, number: int, data: bytes) -> bool:
        return True

    def zcl(self, device: EndDevice, endpoint: int, cluster: int, frame: bytes) -> bool:
        self.sent.append((cluster, frame))
        return True

    def later(self, delay_s: float, call: Callable[[], object]) -> None:
        call()

    def left(self, device: EndDevice) -> None:
        device.factory_reset()


def enrolled(ether: Ether) -> EndDevice:
    device = EndDevice("smoke", bytes(8), ether, nwk=0x1234, network=Network(20, 1, bytes(8), bytes(16)))
    device.on_zcl(1, 0x0500, zcl.build(0x00, 1, zcl.WRITE, struct.pack("<HB", 0x0010, zcl.EUI64) + CIE))
    device.on_zcl(1, 0x0500, zcl.build(0x11, 2, 0x00, bytes((0, 7))))
    return device


def test_a_zone_says_nothing_before_it_is_enrolled_and_everything_after() -> None:
    ether = Ether()
    device = EndDevice("smoke", bytes(8), ether)
    assert not device.set_zone(1)
    assert ether.sent == []
    device = enrolled(ether)
    ether.sent.clear()
    assert device.set_zone(1)
    (cluster, frame), = ether.sent
    assert cluster == 0x0500
    assert frame[2:] == bytes.fromhex("00 0100 00 07 0000")  # status change: Alarm1, zone 7


def test_a_zone_asks_to_be_enrolled_when_it_learns_its_cie() -> None:
    ether = Ether()
    enrolled(ether)
    assert any(cluster == 0x0500 and frame[2:] == bytes.fromhex("01 2800 0b12") for cluster, frame in ether.sent)


def test_an_enroll_response_without_a_cie_changes_nothing() -> None:
    device = EndDevice("door", bytes(8), Ether())
    device.on_zcl(1, 0x0500, zcl.build(0x11, 2, 0x00, bytes((0, 7))))
    assert not device.enrolled


def test_a_refusing_enroll_response_changes_nothing() -> None:
    device = EndDevice("door", bytes(8), Ether())
    device.on_zcl(1, 0x0500, zcl.build(0x00, 1, zcl.WRITE, struct.pack("<HB", 0x0010, zcl.EUI64) + CIE))
    device.on_zcl(1, 0x0500, zcl.build(0x11, 2, 0x00, bytes((3, 7))))  # 3: too many zones
    assert not device.enrolled


def test_a_factory_reset_ends_the_enrolment_and_keeps_what_the_sensor_sees() -> None:
    device = enrolled(Ether())
    device.set_zone(1)
    device.factory_reset()
    assert not device.enrolled
    assert device.network is None
    assert device.attributes[0x0500, 0x0002].number == 1


def test_a_battery_is_reported_only_to_who_asked() -> None:
    ether = Ether()
    device = enrolled(ether)
    assert not device.set_battery(100)
    device.on_zdo(0x0021, 3, device.ieee + b"\x01" + b"\x01\x00" + b"\x03" + CIE + b"\x01")
    reporting = struct.pack("<BHBHHB", 0, 0x0021, zcl.UINT8, 3600, 21600, 2)
    device.on_zcl(1, 0x0001, zcl.build(0x00, 4, zcl.CONFIGURE_REPORTING, reporting))
    ether.sent.clear()
    assert device.set_battery(99)
    assert ether.sent[0][1][2:] == bytes.fromhex("0a 2100 20 63")


def test_a_device_comes_back_from_memory_as_it_was() -> None:
    ether = Ether()
    device = enrolled(ether)
    device.set_zone(9)
    assert revive(device.dump(), ether) == device


def test_an_unknown_attribute_is_told_as_unsupported() -> None:
    ether = Ether()
    enrolled(ether).on_zcl(1, 0x0000, zcl.build(0x00, 5, zcl.READ, struct.pack("<HH", 0x0007, 0x4242)))
    assert ether.sent[-1][1] == bytes.fromhex("18 05 01 0700 00 30 03 4242 86")
