"""Logs: one line a fact, key=value, with the priority prefix that journald reads (sd-daemon(3))."""

import logging
import os
import sys

_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_QUIET = ("bleak", "bleak_retry_connector", "dbus_fast", "mqtt", "aiomqtt", "pymodbus", "zigpy", "zigpy_znp", "asyncio",
          "PIL", "pydub")


class _Formatter(logging.Formatter):
    """Prefixes each line with <priority> under journald, with the time elsewhere."""

    def __init__(self, journald: bool) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s" if journald
                         else "%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not self._journald:
            return text
        priority = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in text.splitlines())


def start(level: str = "INFO") -> None:
    """Log to stderr from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journald="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
