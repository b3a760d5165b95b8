"""Make every clip from texts.toml with espeak-ng: WAV, 16 kHz, 16 bit, mono, without silence at the ends.

Run by hand after a change of the texts; the clips are kept in the repository, so that a gateway needs no synthesizer.
"""

import subprocess
import tomllib
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).parent
RATE_HZ = 16_000
PEAK = 0.9
# language -> espeak-ng's voice, the key of the text that it reads, words a minute
VOICES = {"en": ("en-us", "en", 135), "zh": ("cmn-latn-pinyin", "pinyin", 150)}
Samples = npt.NDArray[np.float64]


def speak(text: str, voice: str, words_per_minute: int) -> tuple[int, Samples]:
    """Return espeak-ng's rate and samples, -1..1."""
    done = subprocess.run(["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-a", "150", "--stdout", text],
                          stdout=subprocess.PIPE, check=True)
    data = done.stdout[44:]  # its header gives no length, because standard output cannot be rewound
    rate_hz = int.from_bytes(done.stdout[24:28], "little")
    return rate_hz, np.frombuffer(data[:len(data) // 2 * 2], "<i2") / 32768


def resample(samples: Samples, from_hz: int) -> Samples:
    """Return the samples at RATE_HZ; what lies above half of it is cut off, not folded down."""
    count = round(len(samples) * RATE_HZ / from_hz)
    spectrum = np.fft.rfft(samples)[:count // 2 + 1]
    return np.fft.irfft(spectrum, count) * (count / len(samples))


def trim(samples: Samples, floor: float = 0.01, fade_s: float = 0.005, margin_s: float = 0.015) -> Samples:
    """Cut the silence before and after to `margin_s`, let no end click, and take the peak to PEAK."""
    loud = np.flatnonzero(np.abs(samples) > floor * np.abs(samples).max())
    cut = samples[int(loud[0]):int(loud[-1]) + 1]
    ramp = np.linspace(0.0, 1.0, round(fade_s * RATE_HZ))
    cut = np.concatenate([cut[:len(ramp)] * ramp, cut[len(ramp):-len(ramp)], cut[-len(ramp):] * ramp[::-1]])
    return np.pad(cut, round(margin_s * RATE_HZ)) * (PEAK / float(np.abs(cut).max()))


def main() -> None:
    texts = tomllib.loads((HERE / "texts.toml").read_text(encoding="utf-8"))
    total_bytes = 0
    for language, (voice, key, speed) in VOICES.items():
        (HERE / language).mkdir(exist_ok=True)
        for group, entries in texts.items():
            for name, entry in entries.items():
                rate_hz, samples = speak(entry[key], voice, speed)
                clip = trim(resample(samples, rate_hz))
                path = HERE / language / f"{group}-{name}.wav"
                with wave.open(str(path), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(RATE_HZ)
                    file.writeframes((clip * 32767).astype("<i2").tobytes())
                total_bytes += path.stat().st_size
                print(f"{path.relative_to(HERE)}: {len(clip) / RATE_HZ:.2f} s")
    print(f"{total_bytes / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
