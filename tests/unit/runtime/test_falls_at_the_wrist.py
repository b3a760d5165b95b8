"""What the detectors of one home make of bracelets: each has a history of its own, and silence is heard too."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from drivers.devices import infinitime
from gateway.app.configured import types
from gateway.app.settings import fall_watchers
from gateway.config import Detect, salvage
from gateway.detect.falls import Stage
from gateway.model.finding import FallSource, Finding, FindingKind
from gateway.model.reading import Accel, Button, Press, Reading
from gateway.runtime import fall_model
from gateway.runtime.detectors import Detectors
from gateway.runtime.registry import Registry
from hil.devices.bracelet import motion
from tests.bench.falls import product
from tests.unit.detect.stamps import at
from tests.unit.detect.test_falls_wrist import SOFT, saying
from tests.unit.detect.wrist import HANGING, LYING, Wrist

FOREST = fall_model.load()
CONFIG = """
[gateway]
id = "flat-12"
[city]
host = "localhost"
[devices.bracelet]
driver = "polar"
address = "A0:9E:1A:00:00:01"
"""


def fail(name: str, error: Exception) -> None:
    raise AssertionError(name) from error


def fallen() -> list[Accel]:
    random = np.random.default_rng(0)
    samples = np.concatenate([motion.walk(6.0, random).samples, motion.fall(random).samples])
    return list(product.blocks(samples, float(motion.RATE_HZ), 8.0))


def told(detectors: Detectors, device: str, blocks: list[Accel]) -> list[Finding]:
    return [finding for number, block in enumerate(blocks)
            for finding in detectors.reading(Reading(device, at(number / 2), block)).findings]


def test_a_fall_of_each_bracelet_is_told_of_it_alone() -> None:
    detectors = Detectors(Detect(), FOREST, fail)
    blocks = fallen()
    mixed = [(device, block) for block in blocks for device in ("his", "hers")]
    found = [finding for device, block in mixed for finding in told(detectors, device, [block])]
    assert [(one.kind, one.device, one.source) for one in found] == [
        (FindingKind.FALL, device, FallSource.WRIST) for device in ("his", "hers")]


def test_what_is_not_worn_at_the_wrist_is_not_judged_by_a_model_of_wrists() -> None:
    detectors = Detectors(Detect(), FOREST, fail)
    blocks = fallen()
    assert told(detectors, "chest", [replace(block, at_wrist=False) for block in blocks]) == []
    assert len(told(detectors, "wrist", blocks)) == 1


def test_a_watch_of_10_hz_watches_over_no_falls_whatever_it_measures() -> None:
    detectors = Detectors(Detect(), saying(lambda features: 1.0), fail)  # calls every impact a fall
    found = {rate_hz: told(detectors, f"at {rate_hz} Hz", list(Wrist(rate_hz).fall().rest(9, LYING).blocks(10)))
             for rate_hz in (50.0, infinitime.RATE_HZ)}
    assert (len(found[50.0]), found[infinitime.RATE_HZ]) == (1, [])
    config, problems = salvage(CONFIG.replace('"polar"', '"infinitime"'), Path("anju.toml"), *types(Registry()))
    assert config is not None, problems
    assert fall_watchers(config, Registry(), wrists=True) == {}, "nobody counts on it"


def test_without_a_model_wrists_are_not_watched_and_everything_else_is() -> None:
    detectors = Detectors(Detect(), None, fail)
    assert told(detectors, "his", fallen()) == []
    (pressed,) = detectors.reading(Reading("sos", at(0), Press(Button.SOS))).findings
    assert pressed.kind is FindingKind.SOS
    assert detectors.tick(at(999), ()).findings == []


def test_who_is_awaited_and_falls_silent_is_told_by_the_passing_of_time() -> None:
    detectors = Detectors(Detect(), saying(), fail)
    blocks = list(Wrist(50).rest(6, HANGING).knock(SOFT).rest(6, LYING).blocks(25))
    assert told(detectors, "his", blocks) == []
    silent_s = (len(blocks) - 1) / 2
    assert detectors.tick(at(silent_s + 4.9), ()).findings == []
    (finding,) = detectors.tick(at(silent_s + 5.0), ()).findings
    assert (finding.device, finding.source, finding.evidence["stage"]) == ("his", FallSource.WRIST, Stage.NO_RECOVERY)
    assert detectors.tick(at(silent_s + 60.0), ()).findings == []


@pytest.mark.parametrize(("wrists", "watch"), [(True, {"bracelet"}), (False, set())])
def test_a_bracelet_watches_over_falls_only_where_there_is_a_model(wrists: bool, watch: set[str]) -> None:
    registry = Registry()
    config, problems = salvage(CONFIG, Path("anju.toml"), *types(registry))
    assert config is not None, problems
    assert set(fall_watchers(config, registry, wrists=wrists)) == watch
