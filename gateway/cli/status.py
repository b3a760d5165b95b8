"""`anju status`: what works, what does not, and what to do about it."""

from typing import TYPE_CHECKING, Any

from gateway.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile

STALLED_S = 10.0  # an acknowledgement is late from here on

if TYPE_CHECKING:
    from rich.console import RenderableType


def status(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What works, what does not, and what to do about it."""
    from gateway.cli import screen

    with screen.gateway(config, as_json) as client:
        result = client.ask("status")
        if as_json:
            screen.print_json(result)
            return
        out = screen.console()
        for part in parts(result):
            out.print(part)


def parts(result: dict[str, Any]) -> "list[RenderableType]":
    """Draw a status: a line of state, the faults with their cures, the parts, the devices, the open alarms."""
    from rich.text import Text

    from gateway.cli import screen
    from gateway.cli.devices_table import devices

    drawn: list[RenderableType] = [Text.assemble(
        ("Anju ", "bold"), f"{result['gateway']} {result['version']}  ", screen.state(result["state"]),
        f"  up {screen.age(result['uptime_s'])}  {result['rss_mb']:.0f} MB")]
    if result["faults"]:
        faults = screen.plain_table("fault", "why", "what to do")
        for fault in result["faults"]:
            faults.add_row(Text(fault["what"], style="red"), fault["reason"], fault["cure"])
        drawn += ["", faults]
    if result["alarms"]:
        drawn += ["", _alarms(result["alarms"])]
    drawn += ["", _parts(result), "", devices(result["devices"])]
    return drawn


def _alarms(alarms: list[dict[str, Any]]) -> Any:
    from rich.text import Text

    from gateway.cli import screen

    table = screen.plain_table("open alarm", "device", "state", "repeats", "found", "id")
    for alarm in alarms:
        finding = alarm["finding"]
        table.add_row(Text(finding["kind"], style="bold red"), finding["device"], screen.state(alarm["state"]),
                      str(alarm.get("repeats", 0)), finding["words"], alarm["id"])
    return table


def _waiting(waiting: dict[str, int], city: dict[str, Any]) -> str:
    """What waits in each lane, and for how long the city has acknowledged nothing of it."""
    from gateway.cli import screen

    stalled_s = city.get("stalled_s", {})
    told = [f"{count} {lane}" + (f", no answer for {screen.age(stalled_s[lane])}" if stalled_s.get(lane, 0) >= STALLED_S
                                 else "") for lane, count in waiting.items() if count]
    told += [f"{city['shortened']} sent without their largest values"] if city.get("shortened") else []
    return "; ".join(told)


def _written(store: dict[str, Any]) -> str:
    """How much the card has been written to, and what was given up for want of room."""
    written = store.get("written")
    if not written:
        return ""
    told = f"{written['bytes'] / 1e6:.1f} MB and {written['fsyncs']} fsyncs written"
    if written["bytes_a_day"] is not None:
        told += f", {written['bytes_a_day'] / 1e6:.1f} MB and {written['fsyncs_a_day']} a day"
    return told + (f"; {store['given_up']} events given up for want of room" if store.get("given_up") else "")


def _clock(clock: dict[str, Any]) -> str:
    """What the clock's quality means for dates, and when it was last set."""
    from gateway.cli import screen

    told = [] if clock["quality"] == "synced" else ["events are dated when a time server has set the clock"]
    if stepped := clock.get("stepped"):
        way = "forward" if stepped["by_s"] > 0 else "back"
        told.append(f"set {way} by {screen.age(abs(stepped['by_s']))}, {screen.age(stepped['ago_s'])} ago")
    return "; ".join(told)


def _cover(cover: dict[str, Any]) -> str:
    """Who watches; who does not, for how long, and what to do."""
    from gateway.cli import screen

    told = [f"by {' and '.join(cover['by'])}"] if cover["by"] else []
    told += [f"{one['device']} {one['words']} ({screen.age(one['for_s'])}): {one['cure']}" for one in cover["reasons"]]
    return "; ".join(told)


def _parts(result: dict[str, Any]) -> Any:
    """One line each: the city, the outbox, the clock, the voice and every bus."""
    from gateway.cli import screen

    city, store, voice = result["city"], result["store"], result["voice"]
    table = screen.plain_table("part", "state", "about")
    link = f"{city.get('broker', '')} {'TLS' if city.get('tls') else 'without TLS'} MQTT {city.get('mqtt', '?')}"
    table.add_row("city", screen.state(str(city.get("state", "?"))), link)
    waiting = store["waiting"]
    total = sum(waiting.values())
    table.add_row("outbox", screen.state("ok") if not total else f"{total} waiting", _waiting(waiting, city))
    table.add_row("disk", screen.state("ok" if not store.get("reason") else "fault"), _written(store))
    table.add_row("clock", screen.state(result["clock"]["quality"]), _clock(result["clock"]))
    table.add_row("voice", screen.state("fault" if voice.get("reason") else "ok"),
                  f"{voice.get('output', '')} {voice.get('language', '')}".strip())
    for cover in result.get("cover", []):
        of = f"{cover['what']} of {cover['wearer']}" if cover.get("wearer") else cover["what"]
        table.add_row(of, screen.state("watched" if cover["covered"] else "not watched"), _cover(cover))
    routine = result["routine"]
    table.add_row("routine", screen.state("reduced" if routine["reduced"] else "watched"),
                  "; ".join(routine["reasons"]))
    for name, health in sorted(result["buses"].items()):
        bus_state = health.get("state") or ("fault" if health.get("reason") else "ok")
        about = screen.facts(health, but=("reason", "cure", "state"))
        table.add_row(f"bus {name}", screen.state(str(bus_state)), about)
    return table
