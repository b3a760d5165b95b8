"""Wear: whether a wearable is on somebody, from what it measures and what it tells of itself. Pure.

Theory
    A sensor on a table is not much stiller than one on a resting arm: of people who sat, the quietest second had 2.5 mg
    RMS about its mean, which is a sensor's own noise. But an arm turns. The mean of a second is the direction of
    gravity, and a knock leaves it as it is, for whatever was knocked stands still again; in 28.6 h of daily life on 32
    wrists (WISDM, parts of 3 min) the longest time in which no axis of it moved by TURN_G was 156 s, of a man who sat.
    Sleep is not in those recordings, so STILL_S is the hour of van Hees et al., PLoS ONE 8 (2013) e61691, who take an
    hour within 50 mg as not worn; their range is TURN_G to either side.

Rules
 1. Skin contact, where it is told, is needed: without it nothing is worn, with it the first second is.
 2. Without word of the contact a wearable is worn from TURNS seconds that turned within BRISK_S on, as putting it on
    gives and a table that is wiped does not; before that nothing is known.
 3. Worn it stays with each turn. STILL_S without one, contact or not, it is not worn, since the last turn.
 4. A charger ends all that: what is taken off it has to be put on.
"""

import msgspec
from msgspec.structs import replace

from gateway.model.reading import Accel, Binary, BinaryKind, Quantity, QuantityKind, Reading

TURN_G = 0.025
STILL_S = 3600.0
TURNS = 10
BRISK_S = 60.0
"""In 99 % of the 574 recordings TURNS of BRISK_S come; of those who sat in 88 %."""

FLAT_PERCENT = 10.0
"""Who is not heard and had no more than this left is taken to be flat."""

Mean = tuple[float, float, float]


class State(msgspec.Struct, frozen=True):
    """What is known of one wearable. `worn`, None where nothing tells, since `since_mono_s`.

    `posture`: mean acceleration in milli-g of the last second that turned. `begun_mg`: sums of the second that has
    begun, over `begun` samples.
    """

    charging: bool = False
    flat: bool = False
    contact: bool | None = None
    worn: bool | None = None
    since_mono_s: float = 0.0
    turned_mono_s: tuple[float, ...] = ()  # the last TURNS
    sign_mono_s: float = 0.0  # the last sign that somebody wears it
    posture: Mean | None = None
    begun_mg: Mean = (0.0, 0.0, 0.0)
    begun: int = 0


def step(state: State, reading: Reading) -> State:
    """Take one reading of the wearable, of any kind."""
    now_s = reading.at.mono_s
    match reading.value:
        case Binary(kind=BinaryKind.CHARGING, active=active):
            return State(True, state.flat) if active else replace(state, charging=False)
        case Binary(kind=BinaryKind.WORN, active=active) if active is not state.contact:
            return _become(replace(state, contact=active, turned_mono_s=()), now_s, worn=active)
        case Binary(kind=BinaryKind.BATTERY_LOW, active=active):
            return replace(state, flat=active)
        case Quantity(kind=QuantityKind.BATTERY, value=percent, plausible=True):
            return replace(state, flat=percent <= FLAT_PERCENT)
        case Accel() as block:
            return _measured(state, block, now_s)
        case _:
            return state


def tick(state: State, now_mono_s: float) -> State:
    """Let time pass."""
    if state.worn and state.posture is not None and now_mono_s - state.sign_mono_s > STILL_S:
        return replace(state, worn=False, since_mono_s=state.sign_mono_s, turned_mono_s=())
    return state


def away(state: State) -> State:
    """What is still known of a wearable that has not been heard for long."""
    return State(state.charging, state.flat)


def _measured(state: State, block: Accel, now_s: float) -> State:
    samples = block.samples()
    x, y, z = state.begun_mg
    x, y, z = x + sum(s[0] for s in samples), y + sum(s[1] for s in samples), z + sum(s[2] for s in samples)
    count = state.begun + len(samples)
    if count < max(block.rate_hz, 1.0):
        return replace(state, begun_mg=(x, y, z), begun=count)
    mean = (x / count, y / count, z / count)
    before = state.posture
    state = replace(state, begun_mg=(0.0, 0.0, 0.0), begun=0, posture=before or mean)
    if before is None or max(abs(a - b) for a, b in zip(before, mean, strict=True)) <= TURN_G * 1000:
        return state
    return _turned(replace(state, posture=mean), now_s)


def _turned(state: State, now_s: float) -> State:
    turned = (*state.turned_mono_s, now_s)[-TURNS:]
    state = replace(state, turned_mono_s=turned)
    if state.worn:
        return replace(state, sign_mono_s=now_s)
    brisk = len(turned) == TURNS and now_s - turned[0] <= BRISK_S
    return _become(state, now_s, worn=True) if state.contact or (state.contact is None and brisk) else state


def _become(state: State, now_s: float, *, worn: bool) -> State:
    return replace(state, worn=worn, since_mono_s=now_s, sign_mono_s=now_s if worn else state.sign_mono_s)
