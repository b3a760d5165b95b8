import itertools
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import gateway.voice
from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt
from gateway.voice.phrases import CHIMES, RATE_HZ, Phrases, seconds, texts
from gateway.voice.readback import CLIPS as READBACK
from gateway.voice.waiting import Utterance

CLIPS = Path(gateway.voice.__file__).parent / "clips"
LANGUAGES = ("zh", "en")


@pytest.fixture(scope="module", params=LANGUAGES)
def phrases(request: pytest.FixtureRequest) -> Phrases:
    return Phrases(request.param)


def samples_of(data: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(data, "<i2") / 32768


def rms(samples: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def dominant_hz(samples: npt.NDArray[np.float64]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE_HZ / len(samples))


def test_no_clip_is_missing(phrases: Phrases) -> None:
    assert phrases.missing == []


@pytest.mark.parametrize("prompt", list(Prompt))
def test_every_prompt_is_said_with_every_kind(phrases: Phrases, prompt: Prompt) -> None:
    alone = phrases.compose(Utterance(prompt, None))
    said = {kind: phrases.compose(Utterance(prompt, kind)) for kind in FindingKind}
    assert len(set(said.values())) == len(FindingKind), "two kinds sound the same"
    for kind, samples in said.items():
        assert seconds(alone) < seconds(samples) < 9.0, f"{kind} {prompt} takes {seconds(samples):.1f} s"
        assert rms(samples_of(samples)) > 0.05
        assert np.abs(samples_of(samples)).max() < 1.0, "clipped"
        assert samples.endswith(alone[-RATE_HZ // 4:]), "the state is not the last word"


def test_a_prompt_begins_with_the_chime_of_its_state(phrases: Phrases) -> None:
    for prompt, notes in CHIMES.items():
        samples = samples_of(phrases.compose(Utterance(prompt, None)))
        at = round(0.12 * RATE_HZ)  # after the silence that wakes the amplifier
        for hz, ms in notes:
            note = samples[at:at + ms * RATE_HZ // 1000]
            at += ms * RATE_HZ // 1000
            if hz:
                assert dominant_hz(note) == pytest.approx(hz, abs=15)
            else:
                assert rms(note) < 1e-3


def test_no_two_states_have_the_same_chime_and_only_an_alarm_rises_twice() -> None:
    assert set(CHIMES) == set(Prompt)
    for one, other in itertools.combinations(CHIMES.values(), 2):
        assert [hz for hz, _ in one] != [hz for hz, _ in other]
    rises = {prompt: sum(0 < a[0] < b[0] for a, b in itertools.pairwise(notes)) for prompt, notes in CHIMES.items()}
    assert max(rises, key=lambda prompt: rises[prompt]) is Prompt.RAISED
    assert max(hz for notes in CHIMES.values() for hz, _ in notes) < 1500


@pytest.mark.parametrize("language", LANGUAGES)
def test_clips_and_texts_are_the_same_set(language: str) -> None:
    names = {f"kind-{kind}" for kind in FindingKind} | {f"prompt-{prompt}" for prompt in Prompt} | set(READBACK)
    assert {path.stem for path in (CLIPS / language).glob("*.wav")} == names
    said = texts(language)
    assert set(said) == names
    assert len(set(said.values())) == len(names)


@pytest.mark.parametrize("path", sorted(CLIPS.glob("*/*.wav")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_clip_is_speech_of_a_sensible_length_and_loudness(path: Path) -> None:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE_HZ, 2, 1)
        samples = samples_of(file.readframes(file.getnframes()))
    assert (0.2 if path.stem in READBACK else 0.5) < len(samples) / RATE_HZ < 6.0
    assert 0.85 < np.abs(samples).max() < 0.95
    assert rms(samples) > 0.08
    edge = round(0.015 * RATE_HZ)
    assert max(np.abs(samples[:edge]).max(), np.abs(samples[-edge:]).max()) < 0.01, "the ends click"
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    assert power[(hz > 80) & (hz < 4000)].sum() > 0.8 * power.sum(), "not where speech has its power"


def test_all_clips_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in CLIPS.glob("*/*.wav")) < 5_000_000


def test_without_clips_the_chime_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = Phrases("en").compose(Utterance(Prompt.RAISED, None))
    monkeypatch.setattr("gateway.voice.phrases._clips", lambda: tmp_path)
    bare = Phrases("en")
    assert len(bare.missing) == len(FindingKind) + len(Prompt) + len(READBACK)
    chime = bare.compose(Utterance(Prompt.RAISED, FindingKind.SMOKE))
    assert 0.5 < seconds(chime) < seconds(whole)
    assert whole.startswith(chime)
