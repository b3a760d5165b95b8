"""The driver contract: everything a driver, first-party or not, may import besides gateway.model.

A *driver* knows a family of devices: it turns their bytes into measurements. A *bus* knows one transport of this
machine and opens *ports*; a port is what the driver talks through. The runtime puts the two together: it opens the
port, runs one session of the driver over it, and restarts the session when it ends.

Version 1. A change that breaks a driver raises SPI_VERSION.
"""

from gateway.model.light import LightPattern
from gateway.spi.advert import Addressed, Advertisement, Advertiser, AdvertPort, MacAddress, Mark, Notes
from gateway.spi.bus import Bus, BusContext, BusKind, PairingBus
from gateway.spi.driver import Driver, Link, Tested
from gateway.spi.errors import BusUnavailable, DeviceRejected, LinkError, LinkLost, SpiError
from gateway.spi.exposed import Exposed, ExposedPort, Told
from gateway.spi.frames import FramePort
from gateway.spi.orders import Light, Order, SendSms
from gateway.spi.ports import (
    Attribute,
    BlePeer,
    GpioPort,
    ModbusPort,
    Notification,
    SerialPort,
    ZclCommand,
    ZclMessage,
    ZigbeePort,
    ZoneStatus,
)

SPI_VERSION = 1

__all__ = [
    "SPI_VERSION",
    "Addressed",
    "AdvertPort",
    "Advertisement",
    "Advertiser",
    "Attribute",
    "BlePeer",
    "Bus",
    "BusContext",
    "BusKind",
    "BusUnavailable",
    "DeviceRejected",
    "Driver",
    "Exposed",
    "ExposedPort",
    "FramePort",
    "GpioPort",
    "Light",
    "LightPattern",
    "Link",
    "LinkError",
    "LinkLost",
    "MacAddress",
    "Mark",
    "ModbusPort",
    "Notes",
    "Notification",
    "Order",
    "PairingBus",
    "SendSms",
    "SerialPort",
    "SpiError",
    "Tested",
    "Told",
    "ZclCommand",
    "ZclMessage",
    "ZigbeePort",
    "ZoneStatus",
]
