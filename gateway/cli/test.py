"""`anju test alarm`: an alarm the whole way to the centre and back."""

from typing import Annotated, Any

import typer

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

WORDS = {"raised": "raised by the gateway", "sent": "sent: the broker has it", "received": "received by the centre"}
GONE = ("the gateway went away before the centre had answered",
        "look at its log: journalctl -u anju; the alarm stays in the outbox until the city has it")
CANCELLED = ("the test alarm was cancelled before the centre had answered",
             "run it again and press no button meanwhile")
PATIENCE_S = 5.0  # on top of the gateway's own limit, so that its reason is heard, not our impatience

test = typer.Typer(no_args_is_help=True, help="Test the way to the centre.")


@test.callback()
def about() -> None:
    """Test the way to the centre."""


@test.command()
def alarm(
    config: ConfigFile = DEFAULT_CONFIG,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long to wait for the centre.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Raise a test alarm and show how it reaches the centre; exit code 1 if the centre does not answer in time."""
    from rich.text import Text

    from gateway.cli import screen
    from gateway.cli.client import ClientError

    steps = []
    failure = None
    with screen.gateway(config, as_json) as client:
        out = screen.console()
        try:
            for step in client.stream("test_alarm", seconds + PATIENCE_S, seconds=seconds):
                steps.append(step)
                if not as_json:
                    words = Text(WORDS.get(step["state"], step["state"]), style=screen.COLOURS.get(step["state"], ""))
                    out.print(Text.assemble(f"{step['after_ms']:>10.1f} ms  ", words))
        except ClientError as error:
            if not steps:
                raise
            failure = error
    received = any(step["state"] == "received" for step in steps)
    reason, cure = (failure.reason, failure.cure) if failure else CANCELLED if _last(steps) == "cancelled" else GONE
    if as_json:
        told = {"received": received, "steps": steps}
        screen.print_json(told if received else told | {"error": reason, "cure": cure})
        raise typer.Exit(0 if received else 1)
    if not received:
        screen.fail(reason, cure, 1)


def _last(steps: list[dict[str, Any]]) -> str | None:
    return steps[-1]["state"] if steps else None
