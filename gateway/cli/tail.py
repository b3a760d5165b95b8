"""`anju tail`: what happens now."""

from datetime import datetime

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile


def tail(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Follow events, findings, alarms and device states as they happen. Ctrl-C ends it."""
    from rich.text import Text

    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        out = screen.console()
        for fact in client.stream("tail"):
            if as_json:
                screen.print_json(fact, lines=True)
                continue
            what = fact["what"]
            out.print(Text.assemble((clock(fact["at"]), "dim"), "  ", (f"{what:<8}", screen.COLOURS.get(what, "")),
                                    f"{fact['subject']:<16}  {fact['text']}  ",
                                    (screen.facts(fact.get("data") or {}), "dim")), soft_wrap=True)


def clock(wall_s: float | None) -> str:
    """Time of day as the technician's watch shows it; dashes where the gateway's clock is not set."""
    if wall_s is None:
        return "--:--:--"
    return datetime.fromtimestamp(wall_s).astimezone().strftime("%H:%M:%S")
