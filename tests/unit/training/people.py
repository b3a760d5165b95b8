"""Made-up people for the training: small files of the two sets, from the bench's motions."""

from pathlib import Path

import numpy as np

from gateway.training.falls.recordings import FILES
from hil.devices.bracelet import motion

FALLERS, OTHERS = ("S1", "S2", "S3"), ("S8", "W1", "W2", "W3")
MOVES = ("walk", "clap", "sit_down")


def written(folder: Path, falls: int = 6, days: int = 4) -> Path:
    """Write both files: each faller fell so often, everybody lived so many times a move."""
    random = np.random.default_rng(7)
    for name, file in FILES.items():
        fallers = FALLERS if name == "UMAFall" else ()
        people = (*FALLERS, "S8") if name == "UMAFall" else ("W1", "W2", "W3")
        trials = [(who, "lateralFall", _fall(random)) for who in fallers for _ in range(falls)]
        trials += [(who, move, motion.MOVES[move](10.0, random).samples) for who in people for move in MOVES
                   for _ in range(days)]
        empty = np.full(len(trials), np.nan)
        np.savez(folder / file, acc_mg=np.concatenate([samples for *_, samples in trials]),
                 offset=np.cumsum([0, *(len(samples) for *_, samples in trials)]),
                 fs=np.full(len(trials), float(motion.RATE_HZ)), subject=[who for who, *_ in trials],
                 group=["elder" if who == "S8" else "young" for who, *_ in trials],
                 activity=[what for _, what, _ in trials], trial=np.arange(len(trials)),
                 is_fall=[what == "lateralFall" for _, what, _ in trials], fall_start_s=empty, fall_end_s=empty)
    return folder


def _fall(random: np.random.Generator) -> motion.Samples:
    return np.concatenate([motion.walk(4.0, random).samples, motion.fall(random).samples])
