"""Setback: what becomes of one event that nobody takes. Nothing behind it has to wait for it.

Its number is taken by a fault that names it. An alarm goes to the end of its lane and is tried again, any other event
to the store's quarantine.
"""

import logging

from gateway.model.event import Event, EventType, Lane
from gateway.model.time import Stamp
from gateway.store import Row, StoreError
from gateway.sync.disk import Disk

log = logging.getLogger(__name__)


async def set_back(disk: Disk, row: Row, why: str, cure: str, now: Stamp) -> bool:
    """Set a row of the store back; False where that is not possible now, or it is there no more."""
    if row.first is not None or row.event.id == _fault_id(row):
        return False  # a gap record, or such a fault itself
    fate = "it goes to the end of its lane" if row.lane is Lane.ALARM else "it was set aside in the database"
    data = {"what": "city", "reason": f"event {row.event.id} ({row.event.type}) held up its lane: {why}; {fate}",
            "cure": cure}
    fault = Event(_fault_id(row), EventType.GATEWAY_FAULT, row.lane, "gateway", now, data)
    try:
        done = await disk.ask(disk.store.set_back(row.epoch, row.lane, row.seq, fault))
    except StoreError as error:
        disk.error = error
        return False
    if done:
        log.warning("event set back id=%s reason=%r cure=%r", row.event.id, why, cure)
    return done


def _fault_id(row: Row) -> str:
    return f"setback-{row.epoch}-{row.lane.value}-{row.seq}"
