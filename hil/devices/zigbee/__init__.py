"""An emulated TI CC2652 Zigbee coordinator on a pty, with the end devices of its flat.

frames        MT frames: FE length cmd0 cmd1 data FCS
nvram         what the chip and the flat keep over a restart, in one JSON file
stick         the USB side: a pty, unplug, hang, faults on the line, 115200 baud
coordinator   the chip: networks, the table of MT commands
system_api    the MT commands SYS, UTIL and APP_CNF
install_code  the key that a device makes of the code printed on it
air_api       the MT commands AF and ZDO, and what goes over the air
zcl           ZCL frames and values as bytes
end_device    one end device: ZDO and ZCL servers, IAS Zone enrolment, reporting
profiles      end devices as data

Layouts: TI, "Z-Stack Monitor and Test API" (SWRA), here "MT"; Zigbee Cluster Library 8 (07-5123-08), here "ZCL";
Zigbee specification R22 (05-3474-22), here "ZSPEC". Not modelled: routing, link quality, APS and NWK encryption
(a network is told from another by its keys and ids, frames travel in the clear), groups, Green Power, OTA.
"""
