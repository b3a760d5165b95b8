"""A status light on a GPIO pin: shows the pattern of the last order, dark until the first."""

import asyncio
from typing import Annotated

import msgspec

from gateway.spi import Driver, GpioPort, Light, LightPattern, Link, Tested

HALF_PERIOD_S = {LightPattern.SLOW: 0.5, LightPattern.FAST: 0.125}  # 1 Hz and 4 Hz


class GpioLightSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`pin`: BCM number or name. `active_high`: the light shines while the pin is high."""

    pin: Annotated[Annotated[int, msgspec.Meta(ge=0, le=27)] | str,
                   msgspec.Meta(examples=[17], extra={"identifies": True})]
    active_high: bool = True


def level(pattern: LightPattern, since_s: float) -> bool:
    """Tell whether the light is lit, `since_s` after the order; a blinking one begins lit."""
    if half_s := HALF_PERIOD_S.get(pattern):
        return int(since_s / half_s) % 2 == 0
    return pattern is LightPattern.STEADY


def change_after_s(pattern: LightPattern, since_s: float) -> float | None:
    """Return when the level changes next after `since_s`, counted from the order; None: not before the next order."""
    if half_s := HALF_PERIOD_S.get(pattern):
        return (int(since_s / half_s) + 1) * half_s
    return None


async def run(link: Link[GpioLightSettings], port: GpioPort) -> None:
    """Follow the orders for ever."""
    await port.drive(False)
    link.ready()
    async with asyncio.TaskGroup() as group:
        showing: asyncio.Task[None] | None = None
        async for order in link.orders():
            if not isinstance(order, Light):
                continue
            if showing is not None:
                showing.cancel()
            showing = group.create_task(_show(order.pattern, port))


async def _show(pattern: LightPattern, port: GpioPort) -> None:
    """Drive the pin until the pattern has no further change, or until cancelled."""
    clock = asyncio.get_running_loop().time
    began_s, since_s = clock(), 0.0
    while True:
        await port.drive(level(pattern, since_s))
        change_s = change_after_s(pattern, since_s)
        if change_s is None:
            return
        await asyncio.sleep(began_s + change_s - clock())
        since_s = max(change_s, clock() - began_s)  # a late wake-up skips what is past


DRIVER = Driver(name="gpio-light", title="Status light on a GPIO pin", bus="gpio", settings=GpioLightSettings,
                run=run, gives=(), takes=("light",), tested=(Tested.EMULATED,))
