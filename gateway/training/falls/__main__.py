"""`make train-falls DATA=folder`: recordings in, the model file and its card out."""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parents[3]
MODEL, CARD = ROOT / "gateway/detect/falls/wrist.model", ROOT / "docs/falls-model-card.md"
JUDGED_G = {"": 16.0, " held to ±2 g": 2.0}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make train-falls", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path, help="the folder with the recordings")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--card", type=Path, default=CARD)
    arguments = parser.parse_args()
    from gateway.training.falls import recordings

    lacks = find_spec("lightgbm") is None
    why = "LightGBM is not installed: pip install 'anju[train]'" if lacks else recordings.missing(arguments.data)
    if why:
        print(why, file=sys.stderr)
        return 2
    try:
        train(arguments.data, arguments.model, arguments.card)
    except recordings.BadRecordings as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def train(data: Path, model: Path, card_file: Path) -> None:
    """Fit the model on everything, judge models that did not see who is judged, and write both files."""
    from gateway.detect.falls import forest
    from gateway.training.falls import card, recordings, score, validate
    from gateway.training.falls.examples import examples
    from gateway.training.falls.fit import fitted

    console = Console(stderr=True)
    sets = {name: recordings.load(name, folder=data) for name in recordings.FILES}
    trials = [trial for one in sets.values() for trial in one]
    with console.status("examples") as status:
        learned = examples(trials)
        status.update("the model")
        fell = sum(trial.is_fall for trial in trials)
        about = {"sets": ", ".join(sets), "trials": str(len(trials)), "falls": str(fell)}
        file = forest.encode(fitted(learned, about))
        model.write_bytes(file)
        judged: dict[str, list[score.Verdict]] = {}
        judges = validate.models(trials, learned, say=status.update)
        for where, range_g in JUDGED_G.items():
            status.update(f"cross-validation{where}")
            alarms = iter(validate.cross_validated(judges, recordings.clipped(trials, range_g)))
            for name, own in sets.items():
                judged[name + where] = [score.judge(trial, next(alarms)) for trial in own]
    card_file.write_text(card.card(trials, learned, judged, len(file)), encoding="utf-8")
    console.print(f"{model} ({len(file) / 1000:.0f} KB), {card_file}")


if __name__ == "__main__":
    sys.exit(main())
