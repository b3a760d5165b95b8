"""What the configuration says, in the words of each floor."""

from zoneinfo import ZoneInfo

from gateway.alarm.rules import ROUTINE, Rules, Texting
from gateway.config import Config, Vitals, revisions
from gateway.detect import inactivity, routines, watch
from gateway.detect.appliances import Appliance
from gateway.detect.cover import Watcher
from gateway.detect.home import SignKind, room_class
from gateway.detect.life_signs import Place
from gateway.detect.vitals.limits import DEFAULTS, RESIDENT, Person
from gateway.model.finding import FallSource, FindingKind
from gateway.model.reading import QuantityKind
from gateway.runtime.registry import Registry
from gateway.store import Limits


def rules(config: Config) -> Rules:
    """The alarm floor's rules from the configuration."""
    detect = config.detect
    cancel_s = {FindingKind.SOS: detect.cancel_sos_s, FindingKind.FALL: detect.cancel_fall_s,
                FindingKind.TEST: detect.cancel_sos_s, **dict.fromkeys(ROUTINE, detect.cancel_inactivity_s)}
    return Rules(cancel_s, {name: device.room for name, device in config.devices.items() if device.room},
                 {name: device.wearer for name, device in config.devices.items() if device.wearer},
                 Texting(tuple(dict.fromkeys(config.sms.numbers)), config.sms.after_s,
                         config.sms.language or config.voice.language, config.gateway.id))


def modems(config: Config, registry: Registry) -> list[str]:
    """The configured devices that send text messages."""
    return [name for name, device in config.devices.items() if "sms" in registry.drivers[device.driver].takes]


def without_modem(config: Config, registry: Registry) -> list[str]:
    """The problem of numbers that nothing could send to."""
    if not config.sms.numbers or modems(config, registry):
        return []
    return ['sms.numbers: no modem is configured that could send to them: add a device with driver = "modem"']


def routine(config: Config) -> watch.Settings:
    """What the configuration says of the resident's days."""
    detect = config.detect
    gaps = inactivity.Settings(budget_days=detect.budget_days, cap_h=detect.inactivity_h, residents=detect.residents)
    begins, _, ends = (detect.night or "").partition("-")
    rules_ = routines.Settings(
        off=frozenset(detect.off), residents=detect.residents,
        night=(_minute(begins), _minute(ends)) if detect.night else None,
        up_by=None if detect.up_by is None else _minute(detect.up_by),
        night_exit_min=detect.night_exit_min, left_on_min=detect.left_on_min or {})
    return watch.Settings(gaps, rules_)


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def places(config: Config) -> dict[str, Place]:
    """Where each device is and what it watches."""
    return {name: Place(room_class(device.room), None if device.watches is None else SignKind(device.watches),
                        None if device.appliance is None else Appliance(device.appliance))
            for name, device in config.devices.items()}


def without_power(config: Config, registry: Registry) -> list[str]:
    """The problem of each appliance whose device measures no power."""
    return [f"devices.{name}.appliance: the driver {device.driver} measures no power: leave it out, or use a plug"
            for name, device in config.devices.items()
            if device.appliance is not None and "power" not in registry.drivers[device.driver].gives]


def zone(config: Config) -> ZoneInfo | None:
    """The flat's time zone, None for the machine's own."""
    return None if config.gateway.time_zone is None else ZoneInfo(config.gateway.time_zone)


def fall_watchers(config: Config, registry: Registry, *, wrists: bool) -> dict[str, Watcher]:
    """The configured devices that watch over falls, by name; those worn at the wrist only where `wrists`."""
    by = {name: registry.drivers[device.driver].falls for name, device in config.devices.items()}
    return {name: Watcher(source, config.devices[name].wearer) for name, source in by.items()
            if source is not None and (wrists or source is not FallSource.WRIST)}


def people(config: Config) -> dict[str, Person]:
    """Whose each device is, and what of their vital signs is watched."""
    found = {}
    for name, device in config.devices.items():
        whose = device.wearer or RESIDENT
        asked = config.vitals.get(whose) or Vitals()
        given = {kind: limit for kind in QuantityKind if (limit := getattr(asked, kind.value, None)) is not None}
        found[name] = Person(whose, (DEFAULTS if asked.defaults else {}) | given, device.position or "", asked.speak)
    return found


def limits(config: Config) -> Limits:
    """What the store may take, from the configuration."""
    store = config.store
    return Limits(store.max_mb * 1e6, store.min_free_mb * 1e6, store.telemetry_delay_s, store.evidence_count,
                  store.evidence_mb * 1e6)


def make_folders(config: Config) -> list[str]:
    """Make the folders that systemd makes elsewhere; a disk that refuses is a problem to tell, not an end."""
    problems = []
    for folder in (config.gateway.state_dir, config.gateway.run_dir):
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            cure = "make it, owned by the service's user"
            problems.append(f"gateway: {folder} cannot be made ({error.strerror}): {cure}")
    return problems


def keep(text: str, config: Config) -> list[str]:
    try:
        revisions.keep(text, config.gateway.state_dir)
    except OSError as error:
        return [f"the last good configuration cannot be kept ({error.strerror}): check the disk that holds state_dir"]
    return []


def cut(problem: str) -> tuple[str, str]:
    """Cut a configuration problem into its reason and its cure, which stands last."""
    reason, _, cure = problem.rpartition(": ")
    return reason, cure
