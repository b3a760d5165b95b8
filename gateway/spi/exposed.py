"""ExposedPort: a device behind somebody else's gateway, which tells its state as named values (Zigbee2MQTT).

Implemented by drivers/bus/zigbee2mqtt; the rules of gateway/spi/ports.py hold.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import msgspec

Scalar = bool | int | float | str


class Exposed(msgspec.Struct, frozen=True):
    """What the gateway says of one value. `on`, `off`: of a two-state one; `unit` of a number; `choices` of a word."""

    on: Scalar | None = None
    off: Scalar | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """The values that were told together, by name.

    `kept`: somebody kept them for whoever comes later: a state that stands, nothing that happens now. `echo`: their
    gateway has just started, and may only repeat what it knew. `age_s`: how long ago the device spoke, None where
    nobody says.
    """

    mono_s: float
    values: dict[str, Any]
    kept: bool = False
    echo: bool = False
    age_s: float | None = None


class ExposedPort(Protocol):
    """One device. What the gateway knew of it when the port opened comes first, `kept`, be it nothing."""

    @property
    def manufacturer(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def exposes(self) -> Mapping[str, Exposed]:
        """By name of the value."""

    def told(self) -> AsyncIterator[Told]: ...
