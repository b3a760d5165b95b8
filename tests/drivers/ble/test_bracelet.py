"""The emulated bracelet: how its wearer moves, and its bench process."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.bus.ble import BleBus
from gateway.model.reading import Quantity
from hil.bluez import backend
from hil.bluez.private_bus import VARIABLE
from hil.devices.bracelet import motion
from hil.devices.bracelet.recordings import Recordings, resampled
from hil.devices.bracelet.wearer import Wearer
from hil.resources.control import ControlError, call
from tests.drivers.ble.kit import NEEDS_DBUS, FakeLink, Radio, ended, environment, running, session

SEEDS = range(40)


def size_g(samples: motion.Samples) -> np.ndarray:
    return np.linalg.norm(samples.astype(float), axis=1) / 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_made_up_fall_has_free_fall_impact_rebound_and_another_posture_in_stillness(seed: int) -> None:
    fall = motion.fall(np.random.default_rng(seed))
    g = size_g(fall.samples)
    assert fall.impact == int(g.argmax())
    assert 3.0 <= g[fall.impact] <= 8.0 * 3**0.5
    assert g[fall.impact - 26:fall.impact].min() < 0.6
    assert g[fall.impact + 5:fall.impact + 40].std() > 0.05, "rebound"
    lying = fall.samples[-10 * motion.RATE_HZ:].astype(float)
    assert size_g(fall.samples)[-10 * motion.RATE_HZ:].std() < 0.05, "stillness"
    before, after = fall.samples[:52].astype(float).mean(axis=0), lying.mean(axis=0)
    turned = np.degrees(np.arccos(before @ after / np.linalg.norm(before) / np.linalg.norm(after)))
    assert turned > 45


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["walk", "sit_down", "sitting"])
def test_daily_moves_have_no_impact(name: str, seed: int) -> None:
    g = size_g(motion.MOVES[name](10.0, np.random.default_rng(seed)).samples)
    assert len(g) == 10 * motion.RATE_HZ
    assert g.min() > 0.3
    assert g.max() < 2.0


def test_clapping_knocks_without_anything_falling() -> None:
    g = size_g(motion.MOVES["clap"](10.0, np.random.default_rng(1)).samples)
    assert np.count_nonzero(g > 2.0) >= 20
    assert g.max() < 5.5


def test_a_wearer_rests_plays_and_rests_again_without_a_missing_sample() -> None:
    wearer = Wearer()
    assert len(wearer.take(100)) == 100
    impact = wearer.play(motion.fall(wearer.random), at_once=True)
    assert impact is not None
    g = size_g(wearer.take(1000))
    assert 100 + int(g.argmax()) == impact
    assert wearer.next_index == 1100
    lying = wearer.take(52).astype(float).mean(axis=0)
    assert np.allclose(lying, motion.LYING, atol=40), "stays as the fall left it"


def test_moves_follow_one_another_and_a_fall_breaks_in() -> None:
    wearer = Wearer()
    wearer.play(motion.walk(10, wearer.random))
    wearer.play(motion.clap(10, wearer.random))
    assert wearer.play(motion.fall(wearer.random)) > 20 * 52
    assert wearer.play(motion.fall(wearer.random), at_once=True) < 3 * 52


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two trials at 20 Hz: walking, and a fall whose impact is the largest within its annotated window."""
    walking = np.tile(np.array([[0, 0, 1000]], np.int16), (100, 1))
    falling = walking.copy()
    falling[10] = [0, 0, 6000]  # before the window
    falling[50] = [0, 5000, 0]
    path = tmp_path / "falls.npz"
    np.savez(path, acc_mg=np.concatenate([walking, falling]), offset=np.array([0, 100, 200]), fs=np.array([20.0, 20.0]),
             is_fall=np.array([False, True]), activity=np.array(["walking", "fall"]), subject=np.array(["s1", "s2"]),
             fall_start_s=np.array([np.nan, 2.0]), fall_end_s=np.array([np.nan, 3.0]))
    return path


def test_a_recording_is_laid_on_the_bracelets_own_rate(recorded: Path) -> None:
    recordings = Recordings(recorded)
    assert recordings.falls == [1]
    assert recordings.trials_of("walking") == [0]
    fall = recordings.motion(1)
    assert len(fall.samples) == int(99 / 20 * 52) + 1
    assert abs(fall.impact - 50 / 20 * 52) <= 1
    assert 4000 < fall.samples[fall.impact][1] <= 5000
    assert recordings.motion(0).impact is None


def test_a_file_without_labels_is_still_played(tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", acc_mg=np.zeros((40, 3), np.int16), offset=np.array([0, 40]), fs=np.array([25.0]))
    recordings = Recordings(tmp_path / "bare.npz")
    assert recordings.falls == []
    assert len(recordings.motion(0).samples) == int(39 / 25 * 52) + 1


def test_resampling_clips_to_the_range_of_the_bracelet() -> None:
    loud = np.array([[16000, -16000, 0]] * 10, np.int16)
    assert resampled(loud, 20.0).max() == 7999
    assert resampled(loud, 20.0).min() == -8000


# -- the bench process ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def bench(folder: Path, mode: str, *words: str) -> AsyncIterator[tuple[dict[str, Any], Path]]:
    control = folder / "bracelet.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hil.devices.bracelet", "--control", str(control), "--mode", mode, *words,
        stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        yield told, control
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0, "ends cleanly when told to"
        await process.communicate()


@asynccontextmanager
async def worn(bus: BleBus) -> AsyncIterator[FakeLink]:
    async with running(bus):
        while bus.health()["state"] != "up":
            await asyncio.sleep(0.02)
        link = FakeLink()
        task = asyncio.ensure_future(session(Radio(bus, None, None), link))  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(15):
                while not link.is_ready.is_set():
                    assert not task.done(), task.result()
                    await asyncio.sleep(0.02)
            yield link
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def biggest(link: FakeLink) -> tuple[float, float]:
    """Largest acceleration in g, and the arrival of its block."""
    found = (0.0, 0.0)
    for value, mono_s in link.emitted:
        if value in link.blocks:
            g = size_g(np.frombuffer(value.samples_mg, "<i2").reshape(-1, 3)).max()
            found = max(found, (float(g), mono_s))
    return found


@NEEDS_DBUS
async def test_a_fall_goes_from_the_bench_process_through_bluez_to_the_driver(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    address_file = tmp_path / "address"
    async with bench(tmp_path, "l2", "--bus-address-file", str(address_file)) as (told, control):
        assert address_file.read_text() == told["dbus_address"]
        with environment(VARIABLE, told["dbus_address"]):
            async with worn(BleBus("hci0", "bluez", time.monotonic)) as link:
                assert await call(control, "move", name="walk", seconds=5) == {"words": "walking", "seconds": 5.0}
                await call(control, "heart_rate", bpm=91)
                await call(control, "battery", percent=7)
                fall = await call(control, "fall")
                assert 0 < fall["impact_mono_s"] - time.monotonic() < 3
                await asyncio.sleep(fall["impact_mono_s"] - time.monotonic() + 1.5)
                impact_g, arrived_mono_s = biggest(link)
                assert impact_g > 3
                assert 0 <= arrived_mono_s - fall["impact_mono_s"] < 1.3
                values = {value.value for value, _at in link.emitted if isinstance(value, Quantity)}
                assert {91, 7} <= values
                stats = await call(control, "stats")
                assert stats["connected"]
                assert stats["streaming"]
                assert abs(stats["samples_sent"] - link.samples()) <= 52
                await call(control, "restart_bluez", down_s=0.1)
                assert not (await call(control, "stats"))["connected"]
    await ended(before)


async def test_a_recorded_fall_goes_over_hci_to_the_driver(tmp_path: Path, recorded: Path) -> None:
    before = asyncio.all_tasks()
    async with bench(tmp_path, "l1", "--falls", str(recorded)) as (told, control):
        with environment(backend.VARIABLE, told["hci"]):
            async with worn(BleBus("hci0", "bumble", time.monotonic)) as link:
                fall = await call(control, "fall", trial=1)
                assert fall["words"] == "recording 1 fall s2"
                await asyncio.sleep(fall["impact_mono_s"] - time.monotonic() + 1.5)
                assert biggest(link)[0] > 4
                with pytest.raises(ControlError, match="no BlueZ in mode l1"):
                    await call(control, "restart_bluez")
            await backend.close()
    await ended(before)


async def test_what_the_bench_does_not_know_is_refused_with_what_it_knows(tmp_path: Path) -> None:
    async with bench(tmp_path, "l1") as (_told, control):
        with pytest.raises(ControlError, match="known are away, back"):
            await call(control, "dance")
        with pytest.raises(ControlError, match="known are clap, sit_down, sitting, walk"):
            await call(control, "move", name="dance")
        with pytest.raises(ControlError, match="start with --falls"):
            await call(control, "fall", trial=3)
        with pytest.raises(ControlError, match="not within 0 to 100"):
            await call(control, "battery", percent=101)
