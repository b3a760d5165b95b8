"""Any device that Zigbee2MQTT supports, by what it exposes (https://www.zigbee2mqtt.io/guide/usage/exposes.html).

Rules
 1. A two-state value is active when it equals the `value_on` that its device exposes: a contact's is false, for open.
    Values of one kind are one sensor, active while any of them is. `kinds` of the settings adds to BINARIES.
 2. An action is a press where ACTIONS or `presses` of the settings gives it a meaning. A kept one is old: no press.
 3. A level that means a press (BUTTONS) is one when it goes up, and when it is told again, up, with nothing else in the
    message that is new: some buttons have no restore. A repeat within REPEAT_S is the same press; a kept level and an
    echo of a gateway that has just started are none.
 4. While a device says that it is being tested, its alarm is none: TEST, as it is for an IAS zone. After TEST_S a
    device's word that it is still being tested is not believed any more.
 5. A kept state of a device that has not spoken for SILENCE_S is no state: the device is lost.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from gateway.model.reading import Binary, BinaryKind, Button, Measurement, Press, Quantity, QuantityKind
from gateway.spi import DeviceRejected, Driver, Link, LinkLost, Tested
from gateway.spi.exposed import Exposed, ExposedPort, Told

BINARIES = {
    "contact": BinaryKind.CONTACT, "smoke": BinaryKind.SMOKE, "carbon_monoxide": BinaryKind.CO, "gas": BinaryKind.GAS,
    "water_leak": BinaryKind.WATER, "occupancy": BinaryKind.MOTION, "presence": BinaryKind.PRESENCE,
    "tamper": BinaryKind.TAMPER, "battery_low": BinaryKind.BATTERY_LOW, "test": BinaryKind.TEST,
    "trouble": BinaryKind.FAULT, "battery_defect": BinaryKind.FAULT,
}
QUANTITIES = {
    "battery": (QuantityKind.BATTERY, "%", 0.0, 100.0), "temperature": (QuantityKind.TEMPERATURE, "°C", -40.0, 85.0),
    "humidity": (QuantityKind.HUMIDITY, "%", 0.0, 100.0), "power": (QuantityKind.POWER, "W", 0.0, 20_000.0),
    "energy": (QuantityKind.ENERGY, "kWh", 0.0, 1e6),
}
"""Name -> kind, the unit that it must be exposed in, and its plausible range: 20 kW is more than any flat's mains."""
BUTTONS = ("sos", "emergency")
ACTIONS = dict.fromkeys(("emergency", "sos", "panic"), Button.SOS)
TESTED = frozenset({BinaryKind.SMOKE, BinaryKind.CO, BinaryKind.GAS, BinaryKind.WATER})

REPEAT_S = 5.0
TEST_S = 300.0
SILENCE_S = 25 * 3600.0
"""EN 50134-2: at least every 24 h, and an hour to be late; as Zigbee2MQTT's timeout of passive devices, 1500 min."""
_OF_THE_RADIO = frozenset({"linkquality", "last_seen", "elapsed"})


class Zigbee2MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`ieee`: as Zigbee2MQTT shows it. `presses`: what an action asks for. `kinds`: two-state values, by their name."""

    ieee: Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{16}$", description="an IEEE address",
                                      examples=["0x00158d0001020304"], extra={"identifies": True})]
    presses: dict[str, Button] = msgspec.field(default_factory=dict)
    kinds: dict[str, BinaryKind] = msgspec.field(default_factory=dict)


class Reader:
    """What one device means, and what it said last. Pure: time comes with the data."""

    def __init__(self, exposes: Mapping[str, Exposed], settings: Zigbee2MqttSettings) -> None:
        kinds = BINARIES | settings.kinds
        self._binaries = {name: (kinds[name], one) for name, one in exposes.items()
                          if name in kinds and one.on is not None}
        self._quantities = {name: QUANTITIES[name] for name, one in exposes.items()
                            if name in QUANTITIES and one.unit == QUANTITIES[name][1]}
        self._buttons = {name: exposes[name] for name in BUTTONS if name in exposes and name not in settings.kinds}
        self._actions = ACTIONS | settings.presses
        acts = "action" in exposes and any(word in self._actions for word in exposes["action"].choices)
        self.means_anything = bool(self._binaries or self._quantities or self._buttons or acts)
        self._values: dict[str, bool] = {}
        self._levels: dict[BinaryKind, bool] = {}
        self._others: dict[str, Any] = {}
        self._pressed_mono_s: dict[str, float] = {}
        self._test_mono_s: float | None = None
        self._battery: float | None = None

    def read(self, told: Told) -> list[Measurement]:
        """Turn a message into measurements, presses first; empty for one that only shows that the device lives."""
        return [*self._presses(told), *self._changes(told), *self._numbers(told)]

    def _presses(self, told: Told) -> list[Measurement]:
        found: list[Measurement] = []
        action = told.values.get("action")
        if isinstance(action, str) and action in self._actions and not told.kept:
            found.append(Press(self._actions[action]))
        others = {name: value for name, value in told.values.items() if name not in _OF_THE_RADIO}
        again, self._others = others == self._others, others
        for name, exposed in self._buttons.items():
            up = _level(told.values, name, exposed)
            if up is None:
                continue
            before = self._values.get(name, False)
            self._values[name] = up
            if told.kept or not up or (before and (told.echo or not again)):
                continue
            last_s = self._pressed_mono_s.get(name, -math.inf)
            if not before or told.mono_s - last_s > REPEAT_S:
                self._pressed_mono_s[name] = told.mono_s
                found.append(Press(Button.SOS))
        return found

    def _changes(self, told: Told) -> list[Measurement]:
        for name, (_, exposed) in self._binaries.items():
            if (level := _level(told.values, name, exposed)) is not None:
                self._values[name] = level
        levels: dict[BinaryKind, bool] = {}
        for name, (kind, _) in self._binaries.items():
            if name in self._values:
                levels[kind] = levels.get(kind, False) or self._values[name]
        if not levels.get(BinaryKind.TEST):
            self._test_mono_s = None
        elif self._test_mono_s is None:
            self._test_mono_s = told.mono_s
        if self._test_mono_s is not None and told.mono_s - self._test_mono_s <= TEST_S:
            levels |= {kind: False for kind in TESTED if kind in levels}
        news = [Binary(kind, active) for kind, active in levels.items() if self._levels.get(kind) is not active
                and not (kind is BinaryKind.TEST and active and told.kept)]  # that test is over
        self._levels = levels
        return [*news]

    def _numbers(self, told: Told) -> list[Measurement]:
        found: list[Measurement] = []
        for name, (kind, _, least, most) in self._quantities.items():
            value = told.values.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
                continue
            if kind is QuantityKind.BATTERY:
                before, self._battery = self._battery, float(value)
                if before == value:
                    continue
            age_s = (told.age_s or 0.0) if told.kept else 0.0
            found.append(Quantity(kind, float(value), plausible=least <= value <= most, age_s=age_s))
        return found


def _level(values: Mapping[str, Any], name: str, exposed: Exposed) -> bool | None:
    """A two-state value, None where it is not told or is neither of the two."""
    value = values.get(name)
    for level, word in ((True, exposed.on), (False, exposed.off)):
        if type(value) is type(word) and value == word and value is not None:
            return level
    return None


async def run(link: Link[Zigbee2MqttSettings], port: ExposedPort) -> None:
    """Listen until Zigbee2MQTT, or the device, is gone. Ready at once: a button is silent for months."""
    reader = Reader(port.exposes, link.settings)
    if not reader.means_anything:
        raise DeviceRejected(f"{port.manufacturer} {port.model} gives nothing that the gateway reads, only: "
                             f"{', '.join(sorted(port.exposes)) or 'nothing'}",
                             "give its actions or two-state values a meaning by `presses` or `kinds` "
                             "(docs/configuration.md), or remove it")
    link.about({"maker": port.manufacturer, "model": port.model})
    ready = False
    async for told in port.told():
        if told.kept and told.age_s is not None and told.age_s > SILENCE_S:
            raise LinkLost(f"last heard {told.age_s / 3600:.0f} h ago", "check its battery and its distance")
        if not ready:
            ready = True
            link.ready()
        values = reader.read(told)
        for value in values:
            link.emit(value, told.mono_s)
        if not values and not told.kept:
            link.alive()


DRIVER: Driver[Zigbee2MqttSettings, ExposedPort] = Driver(
    "zigbee2mqtt", "Any device of a Zigbee2MQTT that the home has (contact, alarms, motion, SOS, plug, climate)",
    "zigbee2mqtt", Zigbee2MqttSettings, run,
    gives=("contact", "smoke", "co", "gas", "water", "motion", "presence", "tamper", "battery_low", "fault", "test",
           "sos", "battery", "power", "energy", "temperature", "humidity"),
    silence_s=SILENCE_S, tested=(Tested.EMULATED,))
