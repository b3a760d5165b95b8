"""Air: the medium between emulated controllers. Adds to Bumble's link what a flat has: distance and fading."""

import asyncio
import random

from bumble import core, hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink

SUPERVISION_TIMEOUT = 0x08  # Core specification, volume 1, part F: connection timeout
_DEFAULT_RSSI_DBM = -60
_FADING_DB = 2.0  # people between bracelet and gateway


def address_of(address: hci.Address) -> str:
    """Write an address as people do, without Bumble's mark of its type."""
    return str(address).split("/")[0]


class Air(LocalLink):
    """Who hears whom. `rssi_dbm`: by advertiser's address; `away`: addresses out of everybody's range."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rssi_dbm: dict[str, int] = {}
        self.away: set[str] = set()
        self._random = random.Random(seed)

    def hear_dbm(self, advertiser: hci.Address) -> int:
        """Signal strength of one packet."""
        mean_dbm = self.rssi_dbm.get(address_of(advertiser), _DEFAULT_RSSI_DBM)
        return max(-127, min(20, mean_dbm + round(self._random.gauss(0, _FADING_DB))))

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        advertiser = getattr(packet, "advertiser_address", None)
        if advertiser is None or address_of(advertiser) not in self.away:
            super().send_advertising_pdu(sender_controller, packet)

    def send_acl_data(self, sender_controller: Controller, destination_address: hci.Address,
                      transport: core.PhysicalTransport, data: bytes) -> None:
        """Deliver data under the address that the connection uses.

        Bumble 0.0.236 always names the sender by its random address; a central on its public one is then unknown.
        """
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)

    def drop_links(self, controller: Controller, reason: int = SUPERVISION_TIMEOUT) -> int:
        """End every link of a controller on both ends, as when nothing is heard any more; return how many."""
        links = list(controller.le_connections.values())
        for link in links:
            other = self.find_le_controller(link.peer_address)
            controller.on_le_disconnected(link, reason)
            if other is not None and (back := other.le_connections.get(link.self_address)):
                other.on_le_disconnected(back, reason)
        return len(links)
