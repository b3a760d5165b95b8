"""Bluetooth: what many bracelets cost, whether a bracelet's life leaks, how long an SOS takes, by an emulated radio."""

import shutil
from functools import partial

from tests.bench.lab import later


def missing() -> str | None:
    """Say what is missing and how to get it; None where everything is there."""
    return None if shutil.which("dbus-daemon") else "dbus-daemon is missing: apt-get install dbus-daemon"


_benchmark = partial(later, __name__)

BENCHMARKS = (
    _benchmark("twenty", "streams", "twenty"),
    _benchmark("one", "streams", "one"),
    _benchmark("life", "life"),
    _benchmark("sos", "sos"),
    _benchmark("sos-real", "sos_real"),
)
