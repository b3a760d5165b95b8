"""From the outbox to the city: the wire format, the session with the broker, the uplink, the city's commands."""

from gateway.sync.uplink import Uplink

__all__ = ["Uplink"]
