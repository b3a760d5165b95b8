"""Cross-validation by subject: nobody is judged by a model that has seen him or her.

Each person who fell is a fold of his or her own; all others, of every set, are dealt out among these folds.
"""

from collections.abc import Callable, Iterator, Sequence

from gateway.detect.falls import features, forest
from gateway.detect.falls.recording import judged
from gateway.training.falls.examples import Examples
from gateway.training.falls.fit import fitted
from gateway.training.falls.recordings import Trial
from gateway.training.falls.score import Alarm


def folds(trials: Sequence[Trial]) -> list[set[str]]:
    """Return the subjects of each fold."""
    fell = sorted({trial.subject for trial in trials if trial.is_fall})
    others = sorted({trial.subject for trial in trials} - set(fell))
    return [{who, *others[number :: len(fell)]} for number, who in enumerate(fell)]


def models(trials: Sequence[Trial], learned: Examples) -> Iterator[tuple[set[str], forest.Forest]]:
    """Yield each fold's subjects, and a model that learned from all others."""
    for subjects in folds(trials):
        yield subjects, forest.decode(forest.encode(fitted(learned.of(subjects, others=True), {})), features.NAMES)


def cross_validated(
    trials: Sequence[Trial], heard: Sequence[Trial], learned: Examples, say: Callable[[str], None] = lambda _: None
) -> list[list[Alarm]]:
    """Return the alarms in each trial as `heard` by a model that learned from `trials` of other subjects.

    `heard`: the trials in the same order, as a bracelet told them (clipped, at another rate). `learned`: what
    examples() makes of `trials`.
    """
    alarms: list[list[Alarm]] = [[] for _ in trials]
    for subjects, model in models(trials, learned):
        say(f"without {', '.join(sorted(subjects))}")
        for number, trial in enumerate(heard):
            if trial.subject in subjects:
                found = judged(trial.acc_mg, trial.rate_hz, model)
                alarms[number] = [(impact_s, raised_s) for impact_s, raised_s, _ in found]
    return alarms
