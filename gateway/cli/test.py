"""`anju test alarm`: an alarm the whole way to the centre and back."""

from typing import Annotated

import typer

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

WORDS = {"raised": "raised by the gateway", "sent": "sent: the broker has it", "received": "received by the centre"}
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
    with screen.gateway(config) as client:
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
    if as_json:
        screen.print_json({"received": received, "steps": steps,
                           **({"error": failure.reason, "cure": failure.cure} if failure else {})})
        raise typer.Exit(0 if received else 1)
    if not received:
        reason, cure = (failure.reason, failure.cure) if failure else (
            "the test ended before the centre had answered", "look at `anju status`, then try again")
        screen.fail(reason, cure, 1)
