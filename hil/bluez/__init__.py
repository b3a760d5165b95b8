"""A Bluetooth LE world without radio or kernel: emulated devices in one air, reached through two seams.

    air.py          the air: range, signal strength, lost links
    controller.py   a controller in that air, with the cures for what Bumble 0.0.236 gets wrong
    private_bus.py  a D-Bus daemon of our own
    service.py      org.bluez on that bus: layer L2, under which bleak's own BlueZ backend runs unmodified
    tree.py, adapter.py, links.py, agents.py, bonds.py, faults.py    parts of that service
    hci_server.py   HCI over TCP, for layer L1
    backend.py      layer L1: a scanner and a client for bleak over a Bumble host

L2 is a model of BlueZ. Where it differs from the real bluetoothd, it is wrong.
"""
