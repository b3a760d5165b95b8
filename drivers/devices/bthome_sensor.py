"""Drivers of BTHome devices: which advertisement counts, and what it says.

Rules
 1. A plain advertisement with the packet id of the last one, heard within REPEAT_S of it, is the same one again;
    without packet ids, one with the same bytes. Later it is a new one: ids come round, a new battery counts from 0.
 2. An encrypted one counts if its MIC is right and its counter above the last, over restarts of the gateway. A counter
    below RESTARTED is a new battery's and counts too: whoever recorded those few can replay them, but no alarm is lost.
 3. STALE counters in a row that are older with a right MIC: a device that begins at random, or a replay. People decide.
 4. A wrong MIC before the first right one means a wrong key. After it, somebody else's noise: not believed.
 5. Where a key is configured, what is plain is forged or from another device: not believed.
"""

import hashlib
import logging
from typing import Annotated

import msgspec

from drivers.devices import bthome
from drivers.devices.bthome import PressKind
from drivers.devices.gatt_values import DecodeError
from gateway.model.reading import Binary, BinaryKind, Button, Press
from gateway.spi import Advertisement, Advertiser, AdvertPort, DeviceRejected, Driver, Link, Mark, Tested

log = logging.getLogger(__name__)

REPEAT_S = 60.0
RESTARTED = 100
STALE = 5
SILENCE_S = 25 * 3600.0  # a supervision signal at least every 24 h (EN 50134-2), and an hour for it to be late


class BTHomeSettings(Advertiser, frozen=True, kw_only=True):
    """[devices.NAME] of a BTHome device.

    `key`: the bind key of one that encrypts. `presses`: what a kind of press asks for, where it is not SOS.
    """

    key: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{32})?$", description="a bind key of 32 hex digits",
                                     examples=["231d39c1d7cc1ab1aee224cd096db932"])] = ""
    presses: dict[PressKind, Button] = msgspec.field(default_factory=dict)


class Receiver:
    """What is known of one device: rules 1 to 5. Pure: time comes with the data. `note` is to be kept."""

    def __init__(self, address: str, key: bytes = b"", note: bytes = b"") -> None:
        self._address, self._key = address, key
        self._mark = hashlib.sha256(key).digest()[:4]  # another key counts anew
        known = len(note) == 8 and note[4:] == self._mark
        self._counter = int.from_bytes(note[:4], "little") if known else None  # of the last one with a right MIC
        self._last: tuple[int | bytes, float] | None = None
        self._stale: set[int] = set()

    @property
    def note(self) -> bytes:
        return b"" if self._counter is None else self._counter.to_bytes(4, "little") + self._mark

    def packet(self, data: bytes, mono_s: float) -> bthome.Packet | None:
        """What an advertisement says; None if it does not count. Raises DecodeError, DeviceRejected."""
        decoded = bthome.decode(data)
        if isinstance(decoded, bthome.Sealed):
            return self._opened(decoded)
        if self._key:
            return None
        mark = data if decoded.packet_id is None else decoded.packet_id
        last, self._last = self._last, (mark, mono_s)
        return None if last is not None and last[0] == mark and mono_s - last[1] <= REPEAT_S else decoded

    def _opened(self, sealed: bthome.Sealed) -> bthome.Packet | None:
        if not self._key:
            raise DeviceRejected("the device encrypts what it advertises", 'give its bind key: key = "..."')
        objects = _decrypted(self._key, sealed, self._address)
        if objects is None:
            if self._counter is None:
                raise DeviceRejected("the bind key does not fit the device",
                                     "read the key in the device's app again and correct key")
            return None
        if self._counter is not None and (sealed.counter == self._counter or self._is_stale(sealed.counter)):
            return None
        self._counter = sealed.counter
        self._stale.clear()
        return bthome.decode_objects(objects)

    def _is_stale(self, counter: int) -> bool:
        """Rules 2 and 3."""
        if self._counter is None or counter > self._counter or counter < RESTARTED:
            return False
        self._stale.add(counter)
        if len(self._stale) >= STALE:
            raise DeviceRejected(f"the device's counter went back from {self._counter} to {counter}",
                                 "if its battery was changed, give it a new bind key; else somebody replays it")
        return True


def _decrypted(key: bytes, sealed: bthome.Sealed, address: str) -> bytes | None:
    """The objects, None where key, address or data are not what the MIC was made of."""
    from cryptography.exceptions import InvalidTag  # 8 MB that only homes with encrypting devices need
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    try:
        return AESCCM(key, tag_length=bthome.MIC_BYTES).decrypt(
            sealed.nonce(address), sealed.ciphertext + sealed.mic, None)
    except InvalidTag:
        return None


async def run(link: Link[BTHomeSettings], port: AdvertPort) -> None:
    """Listen until the bus goes down. Ready at once: a button is silent for months."""
    receiver = Receiver(port.address, bytes.fromhex(link.settings.key), port.notes.recall())
    levels: dict[BinaryKind, bool] = {}
    link.ready()
    async for heard in port.advertisements():
        data = heard.service_data.get(bthome.SERVICE)
        if data is None:
            continue
        try:
            packet = receiver.packet(data, heard.mono_s)
        except DecodeError as error:
            log.debug("bad frame device=%s reason=%r", link.device, str(error))
            continue
        if packet is None:
            if not link.settings.key:  # a repeat; of an encrypting device anybody could have sent it
                link.alive()
            continue
        _tell(link, packet, heard, levels)
        if receiver.note != port.notes.recall():
            port.notes.keep(receiver.note)


def _tell(link: Link[BTHomeSettings], packet: bthome.Packet, heard: Advertisement,
          levels: dict[BinaryKind, bool]) -> None:
    """Emit presses first, then levels that changed and numbers; a packet without news is a sign of life."""
    for press in packet.presses:
        link.emit(Press(link.settings.presses.get(press, Button.SOS)), heard.mono_s)
    news = [value for value in packet.values
            if not isinstance(value, Binary) or levels.get(value.kind) != value.active]
    levels.update({value.kind: value.active for value in packet.values if isinstance(value, Binary)})
    for value in news:
        link.emit(value, heard.mono_s)
    if not news and not packet.presses:
        link.alive()


_TESTED = (Tested.VECTORS, Tested.EMULATED)

SENSOR: Driver[BTHomeSettings, AdvertPort] = Driver(
    "bthome", "BTHome v2 sensor (door, window, smoke, gas, CO, water, motion, climate; Shelly BLU)", "ble",
    BTHomeSettings, run,
    gives=("contact", "smoke", "gas", "co", "water", "motion", "presence", "tamper", "fault", "battery_low", "battery",
           "temperature", "humidity", "sos"),
    marks=(Mark(service_data=bthome.SERVICE),), silence_s=SILENCE_S, tested=_TESTED)

SHELLY_BUTTON: Driver[BTHomeSettings, AdvertPort] = Driver(
    "shelly-button", "Shelly BLU Button (SOS)", "ble", BTHomeSettings, run, gives=("sos", "battery"),
    marks=(Mark(name="SBBT-", service_data=bthome.SERVICE),), tested=_TESTED)
