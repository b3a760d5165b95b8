"""Errors a driver or a bus may raise: the type tells whether trying again helps, the message ends with the cure."""

MAX_TEXT = 500


class SpiError(Exception):
    """Root of the driver contract's errors. `cure` says what the technician should do."""

    def __init__(self, reason: str, cure: str) -> None:
        self.reason = _text(reason)
        self.cure = _text(cure)
        super().__init__(f"{self.reason}: {self.cure}")


class LinkError(SpiError):
    """The session cannot go on; a new one may succeed. The runtime retries with backoff."""


class LinkLost(LinkError):
    """The peer went away (out of range, unplugged, power off)."""


class BusUnavailable(LinkError):
    """The transport itself does not work: no adapter, no such serial line, no service."""


class DeviceRejected(SpiError):
    """Wrong device or wrong settings: told as such, and looked at again only now and then."""


def _text(said: object) -> str:
    """What a driver said as text that can travel: anything at all may come from a third party's `except`."""
    return str(said)[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
