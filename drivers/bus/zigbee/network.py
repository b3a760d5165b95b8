# SPDX-License-Identifier: GPL-3.0-or-later
"""Network: what the configuration wants of the stick; see ZigbeeSettings. Free of zigpy."""

from typing import NamedTuple

from drivers.bus.zigbee.install_code import InstallCode


class Network(NamedTuple):
    """`overwrite_stick`: the only stick whose other network may be erased; "". `stick`: the module of its stack."""

    port: str
    channels: list[int]
    install_codes: list[InstallCode]
    backup_passphrase: str = ""
    overwrite_stick: str = ""
    stick: str = "znp"
