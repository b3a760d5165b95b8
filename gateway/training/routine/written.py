"""The prior as a module of Python: pure code reads no file."""

import base64
import textwrap
import zlib

import numpy as np

from gateway.detect.inactivity.hazard import Table
from gateway.detect.inactivity.prior import FAINTEST, STEPS

_HEAD = '''"""Prior: the hazard of a sign in any home, a byte a cell. Written by gateway/training/routine; not by hand.

Made from {about}.
"""

import base64
import zlib

import numpy as np
from numpy.typing import NDArray

FAINTEST = {faintest}
"""Signs a minute of the byte 0; each step of the byte is the factor e ** (1 / STEPS)."""
STEPS = {steps}


def unpacked(packed: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Signs a minute in each cell."""
    steps = np.frombuffer(zlib.decompress(base64.b85decode(packed)), np.uint8).reshape(shape)
    rate: NDArray[np.float64] = FAINTEST * np.exp(steps / STEPS)
    return rate

'''
ABOUT = "12 SYNTHETIC development homes of one resident, 240 days each, 3 of them with a pet"


def module(every: Table, human: Table) -> str:
    """The text of prior.py."""
    text = _HEAD.format(about=ABOUT, faintest=FAINTEST, steps=STEPS)
    for name, rate in (("ALL", every), ("HUMAN", human)):
        lines = textwrap.wrap(packed(rate), 112)
        text += f"\n{name} = (\n" + "".join(f"    {line!r}\n" for line in lines) + ")\n"
    return text


def packed(rate: Table) -> str:
    """The hazard of each cell, a byte a cell, zlib, base85. Python's base85 holds no quote and no backslash."""
    steps = np.clip(np.rint(np.log(rate / FAINTEST) * STEPS), 0, 255).astype(np.uint8)
    return base64.b85encode(zlib.compress(steps.tobytes(), 9)).decode("ascii")
