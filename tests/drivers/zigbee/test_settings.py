"""The bus as the configuration sees it."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from drivers.bus.zigbee import BUS, ZigbeeSettings


def test_a_port_is_all_a_home_must_say() -> None:
    settings = msgspec.convert({"port": "/dev/serial/by-id/usb-stick"}, BUS.settings)
    assert settings == ZigbeeSettings(port="/dev/serial/by-id/usb-stick", channels=[15, 20, 25])
    assert (BUS.name, BUS.own_process) == ("zigbee", True)


@pytest.mark.parametrize("table", [{}, {"port": "ttyUSB0"}, {"port": "/dev/t", "channels": []},
                                   {"port": "/dev/t", "channels": [10]}, {"port": "/dev/t", "chanels": [15]}])
def test_what_cannot_be_right_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, BUS.settings)


def test_the_configuration_can_be_checked_where_zigpy_is_not_installed() -> None:
    program = "import sys, drivers.bus.zigbee, drivers.devices.ias; sys.exit('zigpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
