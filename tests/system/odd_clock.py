"""`anju` on a clock for which a file vouches instead of the kernel: it is there, or it is not. Run with -m.

What the clock reads is libfaketime's affair. Looked at often, so that a test need not wait for seconds.
"""

import os
from pathlib import Path

from gateway.app import daemon, main
from gateway.runtime import chronicle
from gateway.runtime.clock import Clock

LOOK_S = 0.1
VOUCHER = "ODD_CLOCK_VOUCHER"


def _of_this_boot() -> Clock:
    voucher = Path(os.environ[VOUCHER])
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    clock = Clock(boot_id, kernel=lambda: 0.0 if voucher.exists() else None, mark=lambda: None)
    clock.look()
    return clock


if __name__ == "__main__":
    Clock.of_this_boot = staticmethod(_of_this_boot)  # type: ignore[method-assign, assignment]
    daemon.LOOK_S = chronicle.LOOK_S = LOOK_S
    main()
