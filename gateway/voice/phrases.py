"""Phrases: chime, kind, state, as 16 kHz 16-bit mono samples. Clips are read once; speaking reads no disk."""

import tomllib
import warnings
import wave
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO

from gateway.model.finding import FindingKind
from gateway.model.prompt import Prompt
from gateway.voice.readback import CLIPS
from gateway.voice.waiting import Utterance

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydub misses ffmpeg, which WAV does not need, and imports audioop
    from pydub import AudioSegment
    from pydub.generators import Sine

RATE_HZ = 16_000
FRAME_BYTES = 2
PAUSE_MS = 120
CHIME_DB = -8.0
FADE_MS = 12  # without it a tone begins and ends with a click

# Notes: (Hz, ms), 0 Hz is a rest. All below 1.5 kHz: the hearing of old people fails from the top.
CHIMES: dict[Prompt, tuple[tuple[int, int], ...]] = {
    Prompt.RAISED: ((660, 110), (880, 110), (1175, 110), (0, 60), (660, 110), (880, 110), (1175, 110)),  # rises, twice
    Prompt.SENT: ((784, 120), (784, 120)),
    Prompt.RECEIVED: ((784, 180), (1047, 320)),  # a friendly fourth up
    Prompt.CLOSED: ((1047, 160), (784, 160), (523, 300)),
    Prompt.CANCELLED: ((784, 150), (523, 300)),
    Prompt.UNREACHABLE: ((440, 200), (0, 80), (440, 200)),  # low, not to be taken for good news
    Prompt.MEASURED: ((659, 150), (659, 150)),
    Prompt.MEASURE_AGAIN: ((523, 150), (440, 250)),
    Prompt.WELL_NOTED: ((523, 160), (659, 160), (784, 300)),
}


def texts(language: str) -> dict[str, str]:
    """Return what each clip says: "kind-smoke" -> "Fire. There is smoke."."""
    table = tomllib.loads((_clips() / "texts.toml").read_text(encoding="utf-8"))
    return {f"{group}-{name}": entry[language] for group, entries in table.items() for name, entry in entries.items()}


class Phrases:
    """Every clip of a language and every chime, in memory. `missing`: names of clips that could not be read."""

    def __init__(self, language: str) -> None:
        self.missing: list[str] = []
        self._chimes = {prompt: _chime(prompt) for prompt in Prompt}
        self._clips: dict[str, AudioSegment] = {}
        for name in (*(f"kind-{kind}" for kind in FindingKind), *(f"prompt-{prompt}" for prompt in Prompt), *CLIPS):
            try:
                self._clips[name] = _read(_clips() / language / f"{name}.wav")
            except (OSError, EOFError, wave.Error):
                self.missing.append(name)  # the chime alone is better than silence

    def compose(self, utterance: Utterance) -> bytes:
        """Return the samples of an utterance."""
        names = [f"prompt-{utterance.prompt}"] if utterance.kind is None else [
            f"kind-{utterance.kind}", f"prompt-{utterance.prompt}"]
        names += utterance.words
        whole = self._chimes[utterance.prompt]
        for clip in (self._clips[name] for name in names if name in self._clips):
            whole = whole + AudioSegment.silent(PAUSE_MS, RATE_HZ) + clip
        samples: bytes = whole.raw_data
        return samples


def seconds(samples: bytes) -> float:
    """How long it takes to say these samples."""
    return len(samples) / (RATE_HZ * FRAME_BYTES)


def _chime(prompt: Prompt) -> AudioSegment:
    whole = AudioSegment.silent(PAUSE_MS, RATE_HZ)  # wakes amplifiers that sleep
    for hz, ms in CHIMES[prompt]:
        whole += _tone(hz, ms) if hz else AudioSegment.silent(ms, RATE_HZ)
    return whole


def _tone(hz: int, ms: int) -> AudioSegment:
    """A note with a soft octave above it."""
    note = Sine(hz, sample_rate=RATE_HZ).to_audio_segment(ms, CHIME_DB)
    octave = Sine(2 * hz, sample_rate=RATE_HZ).to_audio_segment(ms, CHIME_DB - 12)
    return note.overlay(octave).fade_in(FADE_MS).fade_out(FADE_MS)


def _clips() -> Traversable:
    return files("gateway.voice") / "clips"


def _read(path: Traversable) -> AudioSegment:
    with wave.open(BytesIO(path.read_bytes())) as file:
        if (file.getframerate(), file.getsampwidth(), file.getnchannels()) != (RATE_HZ, FRAME_BYTES, 1):
            raise wave.Error(f"{path} is not 16 kHz, 16 bit, mono")
        frames = file.readframes(file.getnframes())
    return AudioSegment(data=frames, sample_width=FRAME_BYTES, frame_rate=RATE_HZ, channels=1)
