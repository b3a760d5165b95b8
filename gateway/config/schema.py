"""What may stand in /etc/anju/anju.toml. An unknown key is an error; every default is good for an ordinary home."""

import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from gateway.detect.vitals.limits import Limit

# Meta's `description` and `examples` become the words of a problem (gateway/config/advice.py).
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", examples=["front-door"],
                                   description="a name of up to 32 lower case letters, digits, - and _")]
Host = Annotated[str, msgspec.Meta(pattern=r"^[^\s/]+$", examples=["care.example"], description="a host name")]
Output = Annotated[str, msgspec.Meta(pattern=r"^(none|alsa(:.+)?|wav:.+)$", examples=["alsa"],
                                     description='"alsa", "alsa:DEVICE", "wav:FILE" or "none"')]
Number = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9]{3,20}$", examples=["+8613800138000"],
                                     description="a telephone number")]
Positive = Annotated[float, msgspec.Meta(gt=0)]
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["09:00"],
                                        description="a time of day")]
Hours = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
                                    examples=["22:30-06:30"], description="two times of day")]
Rule = Literal["not_up", "night_exit", "bathroom_overstay", "bed_exit", "appliances", "programme", "rhythm_drift"]
Appliance = Literal["kettle", "stove", "iron", "microwave", "television"]
Position = Literal["finger", "wrist", "arm", "ear", "mouth", "armpit", "forehead", "chest"]
Watches = Literal["door", "innerdoor", "chair", "appliance", "light", "water"]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A TOML table that refuses unknown keys."""


class Gateway(Table, frozen=True, kw_only=True):
    """[gateway]: who this is, where it keeps things and which clock hangs on the flat's wall.

    `time_zone`: an IANA name; without one the machine's own.
    """

    id: Annotated[Name, msgspec.Meta(examples=["cq-0001"])]
    state_dir: Path = Path("/var/lib/anju")
    run_dir: Path = Path("/run/anju")
    spawn_hosts: bool = True  # False where systemd runs the driver hosts (anju-zigbee.service)
    time_zone: Annotated[str, msgspec.Meta(examples=["Asia/Shanghai"])] | None = None

    def __post_init__(self) -> None:
        if self.time_zone is not None:
            try:
                zoneinfo.ZoneInfo(self.time_zone)
            except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
                raise ValueError(f"time_zone: no time zone {self.time_zone!r} is known here: write an IANA name, "
                                 'for example "Asia/Shanghai"') from None


class City(Table, frozen=True, kw_only=True):
    """[city]: the broker of the city's platform. TLS is on unless told otherwise."""

    host: Host
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8883
    tls: bool = True
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None


class Storage(Table, frozen=True, kw_only=True):
    """[store]: how much the outbox may hold, how late telemetry may be written, how much evidence of falls is kept.

    Past `max_mb`, or with less than `min_free_mb` left on its disk, the oldest telemetry goes, then the oldest events;
    alarms never. Alarms and events are written at once; telemetry within `telemetry_delay_s`, many in one go. Of the
    evidence the oldest goes past `evidence_count` falls or `evidence_mb`.
    """

    max_mb: Annotated[float, msgspec.Meta(ge=8)] = 1024
    min_free_mb: Annotated[float, msgspec.Meta(ge=0)] = 256
    telemetry_delay_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 30
    evidence_count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    evidence_mb: Annotated[float, msgspec.Meta(ge=0.1, le=100)] = 2


class Voice(Table, frozen=True, kw_only=True):
    """[voice]: what the resident hears. `output`: "alsa", "alsa:DEVICE", "wav:FILE" or "none"."""

    language: Literal["zh", "en"] = "zh"
    output: Output = "alsa"


class Sms(Table, frozen=True, kw_only=True):
    """[sms]: who gets a text message about an alarm that the city has not acknowledged for `after_s`; needs a modem.

    `language`: of the text; without it the voice's.
    """

    numbers: list[Number] = []
    after_s: Annotated[float, msgspec.Meta(ge=5, le=3600)] = 30.0
    language: Literal["zh", "en"] | None = None


class Detect(Table, frozen=True, kw_only=True):
    """[detect]: limits of the detectors. Cancel windows after PERS practice: SOS 10 s, fall 20 s.

    Routine (docs/routine.md): one false alert in `budget_days` days is borne; no silence is longer than `inactivity_h`.
    `residents` live here. `off`: rules that are switched off. `night` and `up_by` stand instead of what is learned, or
    until it is. `left_on_min`: device -> minutes that it may be on while nobody is in its room.
    """

    budget_days: Annotated[float, msgspec.Meta(ge=1)] = 60.0
    inactivity_h: Positive = 14.0
    residents: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    off: list[Rule] = []
    night: Hours | None = None
    up_by: TimeOfDay | None = None
    night_exit_min: Positive = 12.0
    left_on_min: dict[str, Positive] | None = None
    cancel_sos_s: Positive = 10.0
    cancel_fall_s: Positive = 20.0
    cancel_inactivity_s: Positive = 120.0
    vitals_period_s: Positive = 60.0


class Vitals(Table, frozen=True, kw_only=True):
    """[vitals.NAME]: what of one resident's vital signs is watched; nothing without it (docs/vitals.md).

    NAME: a `wearer`, or `resident` for the devices that name none. `defaults`: the documented limits of every kind that
    is not given here; one that is given stands as given, `{}` for none. `speak`: say aloud what was just measured.
    """

    defaults: bool = False
    speak: bool = False
    heart_rate: Limit | None = None
    oxygen_saturation: Limit | None = None
    systolic_pressure: Limit | None = None
    diastolic_pressure: Limit | None = None
    body_temperature: Limit | None = None
    glucose: Limit | None = None
    body_weight: Limit | None = None


class Device(Table, frozen=True, kw_only=True):
    """[devices.NAME]: one device. `settings` are the keys that the driver itself defines, already checked.

    `wearer`: whose it is, where several residents are to be told apart; empty: the home's resident's. `watches`: what
    its contact or presence stands for, where that is not a door to the outside (in a hall) or one within (elsewhere).
    `position`: where on the body it measures.
    `appliance`: what draws the power that it measures.
    """

    name: Name
    driver: str
    room: str = ""
    wearer: str = ""
    watches: Watches | None = None
    appliance: Appliance | None = None
    position: Position | None = None
    settings: Any


class Config(Table, frozen=True, kw_only=True):
    """A whole, checked configuration. `buses`: bus name -> that bus's own settings Struct."""

    gateway: Gateway
    city: City
    store: Storage
    voice: Voice
    detect: Detect
    sms: Sms = Sms()
    vitals: dict[str, Vitals] = {}
    buses: dict[str, Any]
    devices: dict[str, Device]
    path: Path
