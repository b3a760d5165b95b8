"""Zigbee: the driver host in its own process on the emulated stick, with 40 devices, up to the pipeline's door."""

from tests.bench.lab import later

BENCHMARKS = tuple(later("tests.bench.zigbee", name, module) for name, module in (
    ("storm", "storm"), ("recovery", "recovery")))


def missing() -> str | None:
    try:
        import zigpy_znp  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        return "Zigbee needs zigpy: pip install 'anju[zigbee]'"
    return None
