"""Scene buttons and remotes as buttons that call for a service: whatever is pressed, somebody wants something."""

from drivers.devices.zigbee_rules import BATTERY, LEVEL, ON_OFF, SCENES, Pressed
from drivers.devices.zigbee_session import BATTERY_SILENCE_S, IeeeSettings, check_model, listen
from gateway.spi import Driver, Link, Tested, ZigbeePort

# On/Off: off, on, toggle (ZCL 3.8.2.3), and Tuya's press 0xFD; Scenes: recall (3.7.2.4.7); Level: move and step, with
# and without on/off (3.10.2.3); a stop is the finger leaving the button, no press.
RULES = (Pressed(ON_OFF, frozenset({0x00, 0x01, 0x02, 0xFD})), Pressed(SCENES, frozenset({0x05})),
         Pressed(LEVEL, frozenset({0x01, 0x02, 0x05, 0x06})), BATTERY)


async def _run(link: Link[IeeeSettings], port: ZigbeePort) -> None:
    check_model("zigbee-button", port, only_known=False)
    await listen(link, port, RULES)


BUTTON: Driver[IeeeSettings, ZigbeePort] = Driver(
    "zigbee-button", "Zigbee scene button (calls for a service)", "zigbee", IeeeSettings, _run,
    gives=("service", "battery"), silence_s=BATTERY_SILENCE_S, tested=(Tested.VECTORS, Tested.EMULATED))
