"""The model card: what the shipped model is, what it was measured to do, and what it cannot."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gateway.training.falls import fit, score
from gateway.training.falls.examples import COPIES, MADE_UP, Examples
from gateway.training.falls.recordings import Trial
from gateway.training.falls.score import Tally, Verdict

HEAD = """# Model card: falls at the wrist

Written by `make train-falls`, together with the model. How the detector works: [falls.md](falls.md).

- What it is: {trees} boosted trees (LightGBM {version}, extremely randomised splits) over {features} features of the
  window around an impact; {size_kb:.0f} KB. From {high:g} on a fall is told at once, from {low:g} on if nobody recovers
  in 20 s.
- Meant for: a bracelet on either wrist, any way up, 20-100 Hz, a range of ±2 g or more. An aid, no medical device.
- Learned from: {trials} recordings of {subjects} people, {hours:.1f} h, {falls} falls, and {made_up} made-up recordings
  of daily life; each recorded fall on {fall_copies} watches, anything else on {copies} (own gain, offset, noise,
  bandwidth, rate, phase, jitter; training/falls/watches.py). {examples} examples, {fell} of them falls.
- Data: UMAFall (Casilari, Santoyo-Ramón, Cano-García, Procedia Computer Science 110 (2017) 32-39; figshare 4214283;
  CC BY 4.0 as quoted by third parties), the wrist's SensorTag; WISDM (Weiss, Yoneda, Hayajneh, IEEE Access 7 (2019)
  133190-133202; UCI 507; CC BY 4.0), the watch. No recording is in the repository.

## Known weaknesses

- **No elder falls in these data.** Every fall was made by one of {fallers} people under 40, on purpose, onto a
  mattress. Elders' daily life is in it only where the table by age says so.
- Soft falls (sliding from a chair, sinking against a wall) hardly reach the wrist; such a fall may bring no candidate.
- Lying down briskly, hands thrown up and down, one clap and then rest look most like a fall.
- Somebody who falls and then moves the arms for 7 of the next 20 s is taken as recovered, unless the score is high.
- One subject fell {most} times of {falls}; the others between {least} and {second}.

## Cross-validated by subject

Nobody is judged by a model that saw him or her; one model and one pair of thresholds for all. Brackets: 95 % intervals.
"""


def card(trials: Sequence[Trial], learned: Examples, judged: Mapping[str, Sequence[Verdict]], size_bytes: int) -> str:
    """Return the card in Markdown. `judged`: verdicts of cross-validation, by the name of what was judged."""
    import lightgbm

    falls = [trial for trial in trials if trial.is_fall]
    often = sorted(Counter(trial.subject for trial in falls).values(), reverse=True)
    text = HEAD.format(
        trees=fit.TREES, version=lightgbm.__version__, features=learned.vectors.shape[1], size_kb=size_bytes / 1000,
        high=fit.HIGH, low=fit.LOW, trials=len(trials), subjects=len({trial.subject for trial in trials}),
        hours=sum(trial.duration_s for trial in trials) / 3600, falls=len(falls), made_up=MADE_UP,
        fall_copies=COPIES[True], copies=COPIES[False],
        examples=f"{len(learned.fell):,}", fell=f"{learned.fell.sum():,}",
        fallers=len(often), most=often[0], second=often[1], least=often[-1])
    sections: dict[str, list[str]] = {}
    for name, verdicts in judged.items():
        sections.setdefault(_section(verdicts), []).append(name)
    return text + "\n".join(f"\n### {' and '.join(names)}\n{section}" for section, names in sections.items())


def _section(verdicts: Sequence[Verdict]) -> str:
    rows = [("all", score.tally(verdicts))]
    rows += [(f"age: {group}", tally) for group, tally in score.split(verdicts, lambda trial: trial.group).items()]
    rows += [(f"subject: {who}", tally) for who, tally in score.split(verdicts, lambda trial: trial.subject).items()
             if tally.falls]
    rows += [(what, tally) for what, tally in score.split(verdicts, lambda trial: trial.activity).items()
             if tally.falls or tally.lived > tally.clean]
    lines = ["", "| | falls found | | without false alarm | | false alarms an hour |", "|---|--:|--:|--:|--:|--:|"]
    lines += [_row(what, tally) for what, tally in rows]
    quiet = sum(tally.lived == tally.clean and not tally.falls
                for tally in score.split(verdicts, lambda trial: trial.activity).values())
    return "\n".join([*lines, "", f"The other {quiet} activities brought none.", ""])


def _row(what: str, tally: Tally) -> str:
    def share(count: int, of: int) -> str:
        low, high = score.wilson(count, of)
        return f"{count} of {of} | {count / of:.1%} ({low:.1%}–{high:.1%})"

    found = share(tally.found, tally.falls) if tally.falls else "– |"
    clean = share(tally.clean, tally.lived) if tally.lived else "– |"
    hourly = f"{tally.false_per_hour:.2f} ({tally.false} in {tally.hours:.1f} h)" if tally.hours else "–"
    return f"| {what} | {found} | {clean} | {hourly} |"
