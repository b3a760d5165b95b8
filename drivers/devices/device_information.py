"""Device Information Service 180A: who made a device, what model it is, its firmware and its serial number.

Device Information Service 1.1, section 3: every characteristic is optional, a UTF-8 string, and fixed while connected.
"""

from typing import Any

from drivers.devices.gatt_clock import optional
from gateway.spi import BlePeer, Link

CHARACTERISTICS = {
    "maker": "00002a29-0000-1000-8000-00805f9b34fb",
    "model": "00002a24-0000-1000-8000-00805f9b34fb",
    "firmware": "00002a26-0000-1000-8000-00805f9b34fb",
    "serial": "00002a25-0000-1000-8000-00805f9b34fb",
}
MAX_TEXT = 64  # what a line for people holds; the characteristics may have 512 bytes


def decode_text(data: bytes) -> str:
    """Decode a string of 180A; what is no text is replaced, what cannot be printed is left out."""
    return "".join(c for c in data.decode("utf-8", "replace") if c.isprintable()).strip()[:MAX_TEXT]


async def tell(link: Link[Any], peer: BlePeer) -> None:
    """Read what the peer says about itself and hand it to the link. Raises LinkLost; what it refuses is left out."""
    said = {}
    for what, uuid in CHARACTERISTICS.items():
        if peer.has(uuid):
            with optional("not readable"):
                said[what] = decode_text(await peer.read(uuid))
    link.about({what: text for what, text in said.items() if text})
