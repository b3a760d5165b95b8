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
