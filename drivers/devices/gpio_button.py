"""A push button on a GPIO pin: SOS, cancel or service.

The press is told at the edge that closes the contact, never at its release. A button found held when the session starts
is told too: somebody may have been holding it while the gateway came up, and a press too many can be cancelled.
Held for STUCK_S it counts as stuck: the fault is told until it is released.
"""

import asyncio
from typing import Annotated

import msgspec

from gateway.model.reading import Binary, BinaryKind, Button, Press
from gateway.spi import Driver, GpioPort, Link, Tested

STUCK_S = 60.0


class GpioButtonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`pin`: BCM number or name. `pull_up`: the button connects to ground; False: to 3.3 V."""

    pin: Annotated[Annotated[int, msgspec.Meta(ge=0, le=27)] | str,
                   msgspec.Meta(examples=[17], extra={"identifies": True})]
    button: Button = Button.SOS
    pull_up: bool = True


def decode(active: bool, before: bool | None, stuck: bool, button: Button) -> list[Press | Binary]:
    """Turn a level into measurements.

    `before`: the level before it, None at the session's start. `stuck`: the fault has been told.
    """
    if active and not before:
        return [Press(button)]
    if not active and (stuck or before is None):
        return [Binary(BinaryKind.FAULT, False)]
    return []


async def run(link: Link[GpioButtonSettings], port: GpioPort) -> None:
    """Tell presses for ever."""
    before: bool | None = None
    stuck = False
    timer: asyncio.TimerHandle | None = None

    def tell_stuck(mono_s: float) -> None:
        nonlocal stuck
        stuck = True
        link.emit(Binary(BinaryKind.FAULT, True), mono_s)

    try:
        async for mono_s, active in port.levels():
            if timer is not None:
                timer.cancel()
            for value in decode(active, before, stuck, link.settings.button):
                link.emit(value, mono_s)
            stuck = False
            if active:
                timer = asyncio.get_running_loop().call_later(STUCK_S, tell_stuck, mono_s + STUCK_S)
            if before is None:
                link.ready()
            before = active
    finally:
        if timer is not None:
            timer.cancel()


DRIVER = Driver(name="gpio-button", title="Push button on a GPIO pin", bus="gpio", settings=GpioButtonSettings,
                run=run, gives=("press", BinaryKind.FAULT.value), tested=(Tested.EMULATED,))
