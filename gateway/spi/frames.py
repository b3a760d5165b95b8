"""FramePort: what one device of a shared one-way radio receiver was heard to send, frame by frame.

Implemented by drivers/bus/rfxtrx; the rules of gateway/spi/ports.py hold.
"""

from typing import Protocol


class FramePort(Protocol):
    """The frames of one device, whole and in order."""

    async def read(self, wait_s: float) -> tuple[float, bytes]:
        """Return (mono_s of its arrival, a frame), as soon as there is one; (now, b"") where none came in time."""
