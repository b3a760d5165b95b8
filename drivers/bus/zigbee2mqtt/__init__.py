"""Zigbee through a Zigbee2MQTT that the home has already: its topics on a local broker are read, nothing is sent.

messages    what Zigbee2MQTT publishes -> values, pure
topics      one device's topic: its last state, and who listens
bus         the connection to the broker, what Zigbee2MQTT says of itself and of its devices, and the ports
"""

from pathlib import Path
from typing import Annotated

import msgspec

from drivers.bus.zigbee2mqtt.bus import Zigbee2MqttBus
from gateway.spi import Bus, BusContext, BusKind


class Zigbee2MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bus.zigbee2mqtt]: the broker that Zigbee2MQTT publishes to, without TLS: it is in the flat.

    `base_topic`: as `mqtt.base_topic` of Zigbee2MQTT's own configuration.
    """

    host: Annotated[str, msgspec.Meta(pattern=r"^[^\s/]+$", description="a host name")] = "localhost"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    base_topic: Annotated[str, msgspec.Meta(pattern=r"^[^+#\s/]+(/[^+#\s/]+)*$", description="a topic",
                                            examples=["zigbee2mqtt"])] = "zigbee2mqtt"
    username: str | None = None
    password_file: Path | None = None


def _make(settings: Zigbee2MqttSettings, context: BusContext) -> Bus:
    return Zigbee2MqttBus(settings.host, settings.port, settings.base_topic, settings.username, settings.password_file,
                          context.mono_s)


BUS: BusKind[Zigbee2MqttSettings] = BusKind("zigbee2mqtt", Zigbee2MqttSettings, _make)
