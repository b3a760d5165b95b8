import asyncio
import json
import threading
import time
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt
from gateway.model.reading import Quantity, QuantityKind, SpotCheck
from gateway.voice import Voice
from gateway.voice.phrases import Phrases
from gateway.voice.players import AlsaPlayer, NoPlayer, PlayerError, WavPlayer
from gateway.voice.voice import INBOX, player_for
from gateway.voice.waiting import Utterance

FALL, SMOKE, GAS = FindingKind.FALL, FindingKind.SMOKE, FindingKind.GAS


class Stage:
    """A player whose utterances take as long as the test wants: each waits for `go()`, or until overtaken."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.fails = False
        self.closed = False
        self.probes = 0
        self._go = threading.Semaphore(0)

    def play(self, samples: bytes, label: str, overtaken: Callable[[], bool]) -> bool:
        assert len(samples) > 16_000
        if self.fails:
            raise PlayerError("the sound device is away", "plug it in")
        self.began.append(label)
        while not self._go.acquire(timeout=0.002):
            if overtaken():
                self.ended.append(f"{label} broken off")
                return False
        self.ended.append(label)
        return True

    def probe(self, overtaken: Callable[[], bool]) -> bool:
        self.probes += 1
        if self.fails:
            raise PlayerError("the sound device is away", "plug it in")
        return True

    def close(self) -> None:
        self.closed = True

    def go(self, times: int = 1) -> None:
        self._go.release(times)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.002)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def voice(stage: Stage) -> AsyncIterator[Voice]:
    voice = Voice(stage, "en")
    yield voice
    await voice.close()
    assert stage.closed
    assert not voice._thread.is_alive()


async def test_prompts_are_said_in_order(voice: Voice, stage: Stage) -> None:
    stage.go(3)
    for prompt, kind in ((Prompt.SENT, FALL), (Prompt.SENT, GAS), (Prompt.WELL_NOTED, None)):
        voice.say(prompt, kind, f"of-{kind}")
        await until(lambda: voice.health()["waiting"] == 0)
    await until(lambda: len(stage.ended) == 3)
    assert stage.ended == ["fall sent", "gas sent", "gateway well_noted"]
    await until(lambda: voice.health()["said"] == 3)


async def test_stale_states_are_not_said(voice: Voice, stage: Stage) -> None:
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await until(lambda: stage.began == ["fall raised"])
    for prompt in (Prompt.SENT, Prompt.UNREACHABLE, Prompt.RECEIVED):
        voice.say(prompt, FALL, "of-fall")
    stage.go(5)
    await until(lambda: len(stage.ended) == 2)
    assert stage.ended == ["fall raised", "fall received"]


async def test_an_alarm_breaks_off_what_is_said_and_goes_first(voice: Voice, stage: Stage) -> None:
    voice.say(Prompt.SENT, GAS, "of-gas")
    await until(lambda: stage.began == ["gas sent"])
    voice.say(Prompt.RECEIVED, FALL, "of-fall")
    voice.say(Prompt.RAISED, SMOKE, "of-smoke")
    await until(lambda: len(stage.began) == 2)
    stage.go(2)
    await until(lambda: len(stage.ended) == 3)
    assert stage.ended == ["gas sent broken off", "smoke raised", "fall received"]
    await until(lambda: voice.health()["broken_off"] == 1)


async def test_an_alarm_does_not_break_off_another_one(voice: Voice, stage: Stage) -> None:
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await until(lambda: stage.began == ["fall raised"])
    voice.say(Prompt.RAISED, SMOKE, "of-smoke")
    await until(lambda: voice.health()["waiting"] == 1)
    await asyncio.sleep(0.02)  # ten times as long as the player takes to look for an overtaking
    stage.go(2)
    await until(lambda: len(stage.ended) == 2)
    assert stage.ended == ["fall raised", "smoke raised"]


async def test_what_is_being_said_is_not_said_again(voice: Voice, stage: Stage) -> None:
    voice.say(Prompt.RAISED, SMOKE, "of-smoke")
    await until(lambda: stage.began == ["smoke raised"])
    voice.say(Prompt.RAISED, SMOKE, "of-smoke")
    await until(lambda: voice.health()["waiting"] == 0)
    stage.go()
    await until(lambda: voice.health()["said"] == 1)
    voice.say(Prompt.RAISED, SMOKE, "of-smoke")  # but a later one is said
    stage.go()
    await until(lambda: voice.health()["said"] == 2)


async def test_an_alarm_is_called_out_though_another_of_its_kind_is_already_with_the_centre(
    voice: Voice, stage: Stage
) -> None:
    voice.say(Prompt.SENT, GAS, "other")
    await until(lambda: stage.began == ["gas sent"])
    voice.say(Prompt.UNREACHABLE, SMOKE, "kitchen")
    voice.say(Prompt.SENT, SMOKE, "hall")
    stage.go(3)
    await until(lambda: len(stage.ended) == 3)
    assert stage.ended == ["gas sent", "smoke unreachable", "smoke sent"]


async def test_two_alarms_that_sound_alike_are_called_out_once(voice: Voice, stage: Stage) -> None:
    voice.say(Prompt.RAISED, FALL, "fall")
    await until(lambda: stage.began == ["fall raised"])
    for alarm in ("kitchen", "hall"):
        voice.say(Prompt.RAISED, SMOKE, alarm)
    voice.say(Prompt.SENT, SMOKE, "kitchen")
    await until(lambda: voice.health()["waiting"] == 3)
    stage.go(3)
    await until(lambda: len(stage.ended) == 3)
    assert stage.ended == ["fall raised", "smoke raised", "smoke sent"]
    voice.say(Prompt.RAISED, SMOKE, "kitchen")
    await until(lambda: stage.began[-1] == "smoke raised")
    voice.say(Prompt.RAISED, SMOKE, "hall")
    voice.say(Prompt.SENT, FALL, "fall")
    await until(lambda: voice.health()["waiting"] == 1)  # the player has looked whether it is overtaken
    stage.go(2)
    await until(lambda: len(stage.ended) == 5)
    assert stage.ended[3:] == ["smoke raised", "fall sent"]


async def test_a_player_that_hangs_holds_up_nobody_and_the_line_stays_bounded() -> None:
    release = threading.Event()

    class Hanging(Stage):
        def play(self, samples: bytes, label: str, overtaken: Callable[[], bool]) -> bool:
            self.began.append(label)
            release.wait(30)
            return True

    stage = Hanging()
    voice = Voice(stage, "en")
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await until(lambda: bool(stage.began))
    began_s = time.perf_counter()
    for _ in range(10_000):
        voice.say(Prompt.RAISED, SMOKE, "of-smoke")
    assert (time.perf_counter() - began_s) / 10_000 < 0.001
    assert voice.health()["waiting"] <= INBOX
    assert voice.health()["speaking"] == "fall raised"
    release.set()
    await until(lambda: stage.began == ["fall raised", "smoke raised"])
    await voice.close()


async def test_a_failing_device_is_told_in_the_health_and_forgotten_when_it_works(voice: Voice, stage: Stage) -> None:
    assert "reason" not in voice.health()
    stage.fails = True
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await until(lambda: "reason" in voice.health())
    assert voice.health()["reason"] == "the sound device is away"
    assert voice.health()["cure"] == "plug it in"
    stage.fails = False
    stage.go()
    voice.say(Prompt.SENT, FALL, "of-fall")
    await until(lambda: "reason" not in voice.health())
    assert voice.health()["said"] == 1


async def test_a_device_that_is_away_is_told_before_the_first_alarm_and_looked_for_until_it_comes(
    caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage()
    stage.fails = True
    voice = Voice(stage, "en", "alsa", probe_s=0.01)
    await until(lambda: "reason" in voice.health())
    assert (voice.health()["reason"], voice.health()["cure"]) == ("the sound device is away", "plug it in")
    await until(lambda: stage.probes > 3)
    stage.fails = False
    await until(lambda: "reason" not in voice.health())
    found = stage.probes
    voice.say(Prompt.RAISED, FALL, "fall")
    stage.go()
    await until(lambda: voice.health()["said"] == 1)
    await voice.close()
    assert stage.probes == found, "a device that works is not probed"
    assert [record.levelname for record in caplog.records if "voice silent" in record.message] == ["ERROR"]


async def test_an_alarm_breaks_off_the_probe_and_a_start_waits_for_none() -> None:
    class Slow(Stage):
        def probe(self, overtaken: Callable[[], bool]) -> bool:
            self.began.append("probe")
            while not overtaken():
                time.sleep(0.001)  # in the voice's own thread
            self.ended.append("probe broken off")
            return False

    stage = Slow()
    voice = Voice(stage, "en")
    await until(lambda: stage.began == ["probe"])
    voice.say(Prompt.RAISED, FALL, "fall")
    stage.go()
    await until(lambda: stage.ended == ["probe broken off", "fall raised"])
    await voice.close()


async def test_without_a_sound_card_the_health_says_so_unasked() -> None:
    voice = Voice.open("alsa:no-such-device", "en")
    async with asyncio.timeout(15):
        while "reason" not in voice.health():
            await asyncio.sleep(0.01)
    assert "no-such-device" in voice.health()["reason"] or "aplay" in voice.health()["reason"]
    assert voice.health()["cure"]
    await voice.close()


async def test_a_fault_in_the_player_is_told_and_not_raised() -> None:
    class Broken(Stage):
        def play(self, samples: bytes, label: str, overtaken: Callable[[], bool]) -> bool:
            raise ZeroDivisionError("oops")

    voice = Voice(Broken(), "en")
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await until(lambda: "reason" in voice.health())
    assert "ZeroDivisionError" in voice.health()["reason"]
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await voice.close()


async def test_closing_breaks_off(stage: Stage) -> None:
    voice = Voice(stage, "en")
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await until(lambda: bool(stage.began))
    voice.say(Prompt.RAISED, SMOKE, "of-smoke")
    await voice.close()
    assert stage.ended == ["fall raised broken off"]
    assert stage.closed


async def test_a_prompt_becomes_sound_in_a_file(tmp_path: Path) -> None:
    began_mono_s = time.monotonic()
    voice = Voice(WavPlayer(tmp_path / "said.wav", lambda seconds: None), "zh")
    voice.say(Prompt.RAISED, FALL, "of-fall")
    await until(lambda: voice.health()["said"] == 1)
    await voice.close()
    told = json.loads((tmp_path / "said.wav.jsonl").read_text())
    assert told["said"] == "fall raised"
    assert 0 <= told["mono_s"] - began_mono_s < 3.0
    with wave.open(str(tmp_path / "said.wav")) as file:
        spoken_s = file.getnframes() / file.getframerate()
        assert any(file.readframes(file.getnframes()))
    assert told["seconds"] <= spoken_s < told["seconds"] + 3.0


async def test_a_missing_sound_card_never_raises() -> None:
    voice = Voice.open("alsa:no-such-device", "en")
    voice.say(Prompt.RAISED, FALL, "of-fall")
    async with asyncio.timeout(15):
        while "reason" not in voice.health():
            await asyncio.sleep(0.01)
    assert voice.health()["cure"]
    await voice.close()


def test_the_output_chooses_the_player() -> None:
    assert isinstance(player_for("alsa"), AlsaPlayer)
    assert isinstance(player_for("alsa:hw:1,0"), AlsaPlayer)
    assert player_for("alsa:hw:1,0")._name == "hw:1,0"  # type: ignore[attr-defined]
    assert isinstance(player_for("wav:/tmp/x.wav"), WavPlayer)
    assert isinstance(player_for("none"), NoPlayer)


async def test_missing_clips_are_told_for_as_long_as_they_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.voice.phrases._clips", lambda: tmp_path)
    stage = Stage()
    voice = Voice(stage, "en")
    await until(lambda: stage.probes == 1)
    voice.say(Prompt.RAISED, FALL, "fall")
    stage.go()
    await until(lambda: voice.health()["said"] == 1)
    assert "lacks" in voice.health()["reason"]
    assert voice.health()["cure"] == "install the gateway again"
    await voice.close()


async def test_a_measurement_is_said_after_alarms_and_a_failed_one_asks_to_measure_again(voice: Voice, stage: Stage
                                                                                        ) -> None:
    voice.aloud("scale", SpotCheck((Quantity(QuantityKind.WEIGHT, 61.5),)))
    await until(lambda: len(stage.began) == 1)
    voice.aloud("cuff", SpotCheck((Quantity(QuantityKind.SYSTOLIC, 0.0, plausible=False),)))
    voice.say(Prompt.RAISED, SMOKE, "of-smoke")
    await until(lambda: len(stage.began) == 2)
    stage.go(2)
    await until(lambda: len(stage.ended) == 3)
    assert stage.ended == ["gateway measured word-body_weight number-60 number-1 number-point number-5 word-kilos "
                           "broken off", "smoke raised", "gateway measure_again"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_was_measured_becomes_its_words_in_sound(language: str) -> None:
    phrases = Phrases(language)
    words = ("word-systolic_pressure", "number-1", "number-hundred")
    alone, whole = (phrases.compose(Utterance(Prompt.MEASURED, None, words=w)) for w in ((), words))
    assert whole.startswith(alone)
    assert len(whole) > len(alone) + 16000  # half a second of speech at the least
