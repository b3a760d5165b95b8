"""What the gateway must not forget: outbox, alarms, inbox, the detectors' state, the boots. The only SQLite."""

from gateway.store.errors import StoreBusy, StoreClosed, StoreError, StoreFull, StoreNewer, StoreUnwritable
from gateway.store.ledger import LaneCount
from gateway.store.retention import Limits
from gateway.store.store import Row, Store
from gateway.store.thread import Fault
from gateway.store.volume import Writes

__all__ = [
    "Fault",
    "LaneCount",
    "Limits",
    "Row",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreError",
    "StoreFull",
    "StoreNewer",
    "StoreUnwritable",
    "Writes",
]
