"""Errors a driver or a bus may raise: the type tells whether trying again helps, the message ends with the cure."""


class SpiError(Exception):
    """Root of the driver contract's errors. `cure` says what the technician should do."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason = reason
        self.cure = cure


class LinkError(SpiError):
    """The session cannot go on; a new one may succeed. The runtime retries with backoff."""


class LinkLost(LinkError):
    """The peer went away (out of range, unplugged, power off)."""


class BusUnavailable(LinkError):
    """The transport itself does not work: no adapter, no such serial line, no service."""


class DeviceRejected(SpiError):
    """Wrong device or wrong settings: held, not retried, until the configuration changes."""
