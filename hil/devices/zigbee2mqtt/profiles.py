"""What devices expose, as the documentation of Zigbee2MQTT writes it; nothing here can read a message.

Sources: https://www.zigbee2mqtt.io/guide/usage/exposes.html and the device pages named beside each.
"""

from typing import Any

STATE, STATE_SET, STATE_GET = 1, 3, 5  # `access`: bit 0 published, bit 1 may be set, bit 2 may be asked for


def binary(name: str, on: Any = True, off: Any = False) -> dict[str, Any]:
    return {"type": "binary", "name": name, "label": name.capitalize(), "property": name, "access": STATE,
            "value_on": on, "value_off": off}


def numeric(name: str, unit: str) -> dict[str, Any]:
    return {"type": "numeric", "name": name, "label": name.capitalize(), "property": name, "access": STATE,
            "unit": unit}


def action(*values: str) -> dict[str, Any]:
    return {"type": "enum", "name": "action", "label": "Action", "property": "action", "access": STATE,
            "values": list(values), "category": "diagnostic"}


SWITCH = {"type": "switch", "features": [{"type": "binary", "name": "state", "property": "state", "access": 7,
                                          "value_on": "ON", "value_off": "OFF", "value_toggle": "TOGGLE"}]}
QUALITY = numeric("linkquality", "lqi")

PROFILES: dict[str, tuple[str, str, str, list[dict[str, Any]]]] = {
    # devices/SNZB-04P.html
    "contact": ("SONOFF", "SNZB-04P", "Battery", [binary("contact", False, True), binary("battery_low"),
                                                  numeric("battery", "%"), binary("tamper"), QUALITY]),
    # devices/HS1SA-E.html
    "smoke": ("HEIMAN", "HS1SA-E", "Battery", [binary("smoke"), binary("battery_low"), binary("test"),
                                               numeric("battery", "%"), QUALITY]),
    # devices/TS0215A_sos.html
    "sos": ("Tuya", "TS0215A_sos", "Battery", [numeric("battery", "%"), action("emergency"), QUALITY]),
    # devices/FNB56-SOS03FB1.5.html
    "sos-level": ("FeiBit", "FNB56-SOS03FB1.5", "Battery", [binary("sos"), binary("battery_low"), binary("tamper"),
                                                            numeric("battery", "%"), QUALITY]),
    # devices/TS011F_plug_1.html
    "plug": ("Tuya", "TS011F_plug_1", "Mains (single phase)", [
        SWITCH, numeric("power", "W"), numeric("current", "A"), numeric("voltage", "V"), numeric("energy", "kWh"),
        QUALITY]),
    # devices/LED1545G12.html: nothing in it watches
    "lamp": ("IKEA", "LED1545G12", "Mains (single phase)", [{"type": "light", "features": [
        {"type": "binary", "name": "state", "property": "state", "access": 7, "value_on": "ON", "value_off": "OFF"}]}]),
}
"""Name -> vendor, model, power source, exposes."""
