"""Cross-validation by subject: nobody is judged by a model that has seen him or her.

Each person who fell is a fold of his or her own; all others, of every set, are dealt out among these folds.
"""

from collections.abc import Callable, Sequence

from gateway.detect.falls import features, forest
from gateway.detect.falls.recording import judged
from gateway.training.falls.examples import Examples
from gateway.training.falls.fit import fitted
from gateway.training.falls.recordings import Trial
from gateway.training.falls.score import Alarm

Judge = tuple[set[str], forest.Forest]
"""The subjects of a fold, and a model that learned from all others."""


def folds(trials: Sequence[Trial]) -> list[set[str]]:
    """Return the subjects of each fold."""
    fell = sorted({trial.subject for trial in trials if trial.is_fall})
    others = sorted({trial.subject for trial in trials} - set(fell))
    return [{who, *others[number :: len(fell)]} for number, who in enumerate(fell)]


def models(
    trials: Sequence[Trial], learned: Examples, say: Callable[[str], None] = lambda _: None
) -> list[Judge]:
    """Return a judge for each fold. `learned`: what examples() makes of `trials`."""
    judges = []
    for subjects in folds(trials):
        say(f"without {', '.join(sorted(subjects))}")
        sheet = fitted(learned.of(subjects, others=True), {})
        judges.append((subjects, forest.decode(forest.encode(sheet), features.NAMES)))
    return judges


def cross_validated(judges: Sequence[Judge], heard: Sequence[Trial]) -> list[list[Alarm]]:
    """Return the alarms in each trial as a bracelet told it (clipped, at another rate), by the judge of its subject."""
    alarms: list[list[Alarm]] = [[] for _ in heard]
    for subjects, model in judges:
        for number, trial in enumerate(heard):
            if trial.subject in subjects:
                found = judged(trial.acc_mg, trial.rate_hz, model)
                alarms[number] = [(impact_s, raised_s) for impact_s, raised_s, _ in found]
    return alarms
