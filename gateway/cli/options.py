"""Options that every verb shares."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import CONFIG_VARIABLE, DEFAULT_CONFIG_FILE

DEFAULT_CONFIG = Path(DEFAULT_CONFIG_FILE)

# readable=False: the verbs themselves tell what cannot be read, and a technician's need not read it.
ConfigFile = Annotated[
    Path, typer.Option("--config", metavar="FILE", envvar=CONFIG_VARIABLE, readable=False,
                       help="The gateway's configuration.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the drawing to this file too.")]


def config_of(context: typer.Context, config: Path) -> Path:
    """The --config of a verb within a group; where it names none, what stood before it (the group's `context.obj`)."""
    own = context.get_parameter_source("config")
    above: Path = context.obj
    return config if own is not None and own.name == "COMMANDLINE" else above
