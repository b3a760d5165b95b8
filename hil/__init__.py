"""The bench: an emulated home around the real gateway. Independent of gateway and drivers: it speaks bytes and topics.

resources/ what exists (ptys, ports, processes, control sockets) · devices/ the emulated kit · bluez/ a fake org.bluez ·
strategies/ the states of the gateway under test · cloud/ the reference city · scenarios/ stories. Its own tests are in
tests/drivers, tests/unit/cloud, tests/unit/resources and tests/unit/scenarios.
"""
