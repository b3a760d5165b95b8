"""`anju replay home`: what the detectors of routine make of a home's recording, and of what might have happened."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.cli.homes.course import Case, Course, Found
    from gateway.cli.homes.recording import Recording
    from gateway.detect import watch

COLUMNS = ("case", "time", "kind", "urgent", "since", "score", "words")
DAY_S = 86400.0

Events = Annotated[Path, typer.Argument(metavar="EVENTS.csv.gz", help="time,sensor,kind,room,value; sorted; .csv too.")]
BudgetDays = Annotated[float, typer.Option(metavar="T", min=1, help="One false alert in so many days.")]
Residents = Annotated[int, typer.Option(metavar="N", min=1, help="How many people live there.")]


def home(
    events: Events,
    out: Annotated[Path, typer.Option("--out", metavar="FINDINGS.csv", help="What was found, by case and time.")],
    what_if: Annotated[Path | None, typer.Option(
        metavar="CASES.csv", help="case,at: nothing happens after `at`.")] = None,
    and_then: Annotated[Path | None, typer.Option(
        metavar="EVENTS.csv", help="case,time,sensor,kind,room,value: what happens in a case all the same.")] = None,
    horizon_h: Annotated[float, typer.Option(metavar="H", min=0.1, help="How long a case is followed.")] = 48.0,
    budget_days: BudgetDays = 60.0,
    residents: Residents = 1,
) -> None:
    """Replay a home's recording day by day, knowing only the past; write what is found as CSV."""
    from gateway.cli import screen
    from gateway.cli.homes.cases import cases
    from gateway.cli.homes.recording import BadRecording, read
    from gateway.detect import inactivity, routines, watch

    if and_then is not None and what_if is None:
        screen.fail("--and-then has no case to belong to", "give the cases with --what-if", 1)
    try:
        recording = read(events)
        known = cases(what_if, and_then, recording, horizon_h * 3600) if what_if else []
        target = out.open("w", newline="", encoding="utf-8")
    except BadRecording as error:
        screen.fail(error.reason, error.cure, 1)
    except OSError as error:
        screen.fail(f"{out} cannot be written ({error.strerror})", "give --out a file in a folder of yours", 1)
    with target:
        settings = watch.Settings(inactivity.Settings(budget_days=budget_days, residents=residents),
                                  routines.Settings(residents=residents), asks=False)
        course = replayed(recording, settings, known, horizon_h * 3600)
        table = csv.writer(target, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(line(found) for found in course.found)


def replayed(recording: "Recording", settings: "watch.Settings", cases: "Sequence[Case]" = (),
             horizon_s: float = 0.0) -> "Course[watch.State]":
    """Replay a recording with its cases."""
    from gateway.cli.homes import course
    from gateway.detect import watch

    going = course.Course(lambda known, happened: watch.step(known, happened, settings), watch.State())
    _shown(recording, course.replay(going, recording.inputs, cases, horizon_s))
    return going


def _shown(recording: "Recording", moments_s: "Iterator[float]") -> None:
    """Let moments pass; on a terminal, day by day before the eyes of who waits. Says first what is left out."""
    from rich.console import Console
    from rich.progress import Progress

    stderr = Console(stderr=True)
    for what, count in recording.skipped.items():
        stderr.print(f"left out: {count} events of {what}", style="yellow", highlight=False, soft_wrap=True)
    first_s, last_s = recording.inputs[0].at_s, recording.inputs[-1].at_s
    with Progress(console=stderr, disable=not stderr.is_terminal, transient=True) as progress:
        task, days = progress.add_task("days", total=(last_s - first_s) // DAY_S + 1), 0.0
        for at_s in moments_s:
            if (at_s - first_s) // DAY_S > days:
                days = (at_s - first_s) // DAY_S
                progress.update(task, completed=days)


def line(found: "Found") -> list[str]:
    """A found thing as a line of the file."""
    from gateway.cli.homes.recording import local

    return [found.case, local(found.at_s), found.kind, str(int(found.urgent)),
            "" if found.since_s is None else local(found.since_s),
            "" if found.score is None else f"{found.score:.3f}", found.words]
