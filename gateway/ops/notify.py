"""sd_notify: tell systemd how the daemon stands (sd_notify(3)); silent where systemd did not ask."""

import os
import socket


def notify(*fields: str) -> bool:
    """Send fields such as "READY=1" to $NOTIFY_SOCKET; False where there is none or nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        try:
            sock.sendto("\n".join(fields).encode(), address)
        except OSError:
            return False
    return True


def watchdog_period_s() -> float | None:
    """How often systemd wants to hear from us: half of $WATCHDOG_USEC (sd_watchdog_enabled(3)), None if not at all."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    usec = os.environ.get("WATCHDOG_USEC", "")
    return int(usec) / 2e6 if usec.isdigit() and int(usec) else None
