"""An emulated Zigbee2MQTT with its devices, publishing to a real broker as the real one does."""
