"""Radio: a Bumble controller that behaves like the legacy LE controller of a Raspberry Pi, and hosts upon it.

Cures for Bumble 0.0.236, each named where it stands:
- a cancelled connection request stays pending, and every later one is refused (CREATE_CONNECTION_CANCEL);
- advertising is reported with a fixed strength, and a scan response is invented from the advertising data (REPORT);
- a reset leaves scanning, pending requests and links as they were (RESET);
- extended advertising and privacy are offered but emulated too thinly for a host that uses them (FEATURES).
"""

from typing import Any

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.data_types import CompleteListOf16BitServiceUUIDs, CompleteLocalName, Flags
from bumble.device import Device, DeviceConfiguration
from bumble.gatt import Service
from bumble.host import Host

from hil.bluez.air import Air

GATEWAY_ADDRESS = "F0:F1:F2:F3:F4:F5"
_Report = hci.HCI_LE_Advertising_Report_Event


class Radio(Controller):
    """One controller in the air. `slots`: links it can hold (7 on the Pi's own chip)."""

    def __init__(self, name: str, air: Air, slots: int = 7, **transport: Any) -> None:
        super().__init__(name, link=air, **transport)
        self.air, self.slots = air, slots
        # FEATURES
        self.le_features &= ~(hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING)

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """REPORT: hear an advertiser, and its scan response, be it empty, where the scan is active.

        Who asks to be scanned answers (Core specification, volume 6, part B, 4.4.2.3); Linux holds what it heard until
        then, or until it hears somebody else (net/bluetooth/hci_event.c, process_adv_report).
        """
        if self.le_scan_enable:
            self._report(pdu.advertiser_address, _Report.EventType.ADV_IND, pdu.data)
            if self.le_scan_type == 1:
                self._report(pdu.advertiser_address, _Report.EventType.SCAN_RSP,
                             self._scan_response(pdu.advertiser_address))
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        if len(self.le_connections) >= self.slots:
            self._send_hci_command_status(hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR, command.op_code)
            return
        super().on_hci_le_create_connection_command(command)

    def on_hci_le_create_connection_cancel_command(
            self, _command: hci.HCI_LE_Create_Connection_Cancel_Command) -> hci.HCI_StatusReturnParameters:
        """CREATE_CONNECTION_CANCEL: Core specification, volume 4, part E, 7.8.13."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.send_hci_packet(hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, connection_handle=0, role=0,
            peer_address_type=pending.peer_address.address_type, peer_address=pending.peer_address,
            connection_interval=0, peripheral_latency=0, supervision_timeout=0, central_clock_accuracy=0))
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """RESET: Core specification, volume 4, part E, 7.3.2: links are lost, the controller is in standby."""
        self.le_scan_enable = False
        self.pending_le_connection = None
        self.air.drop_links(self)
        return super().on_hci_reset_command(_command)

    def _report(self, address: hci.Address, kind: int, data: bytes) -> None:
        self.send_hci_packet(_Report([_Report.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data,
            rssi=self.air.hear_dbm(address))]))

    def _scan_response(self, address: hci.Address) -> bytes:
        for controller in self.air.controllers:
            if controller.le_legacy_advertiser.address == address:
                return controller.le_legacy_advertiser.scan_response_data.rstrip(b"\0")
        return b""


async def central(air: Air, slots: int = 7) -> Device:
    """A powered host and controller in the role of the gateway."""
    radio = Radio("gateway", air, slots, public_address=GATEWAY_ADDRESS)
    device = Device(config=DeviceConfiguration(name="gateway", address=hci.Address("C0:00:00:00:00:FE")),
                    host=Host(radio, radio))
    await device.power_on()
    return device


def offering(*services: str) -> bytes:
    """Advertising data of an LE device that lists its services, 16-bit UUIDs in hex."""
    return bytes(AdvertisingData([
        Flags(AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED),
        CompleteListOf16BitServiceUUIDs([UUID(service) for service in services])]))


def named(name: str) -> bytes:
    """A scan response that tells the name."""
    return bytes(AdvertisingData([CompleteLocalName(name)]))


async def peripheral(air: Air, name: str, address: str, interval_ms: int, services: list[Service],
                     advertising: bytes, scan_response: bytes = b"") -> tuple[Device, Radio]:
    """A powered, advertising peripheral that advertises again whenever a link ends."""
    radio = Radio(name, air)
    configuration = DeviceConfiguration(
        name=name, address=hci.Address(address), advertising_interval_min=interval_ms,
        advertising_interval_max=interval_ms, advertising_data=advertising, scan_response_data=scan_response)
    device = Device(config=configuration, host=Host(radio, radio))
    device.add_services(services)
    await device.power_on()
    await device.start_advertising(auto_restart=True, advertising_interval_min=interval_ms,
                                   advertising_interval_max=interval_ms)
    return device, radio
