"""Keys that every device on a serial line has in its settings."""

from typing import Annotated

import msgspec

Port = Annotated[str, msgspec.Meta(examples=["/dev/serial/by-id/usb-..."], extra={"identifies": True})]
Baudrate = Annotated[int, msgspec.Meta(ge=1200, le=4_000_000)]
