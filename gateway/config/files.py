"""files: whether the files that a configuration names can be read. I/O, so no part of parse or salvage.

A file may come back by itself (a credential renewed, a disk mounted): it is never a reason to drop [city]. The daemon's
session reads the files anew at every connect and shows as a fault of the city whatever it cannot use.
"""

from pathlib import Path

from gateway.config.schema import City

CREDENTIALS = Path("/run/credentials")  # systemd makes a folder in it for a service, only while that runs


def unreadable(city: City) -> list[str]:
    """A problem for each file under [city] that this user cannot read."""
    problems = []
    for key in ("ca_file", "cert_file", "key_file", "password_file"):
        path: Path | None = getattr(city, key)
        if path is None or (path.is_relative_to(CREDENTIALS) and not path.parent.exists()):
            continue
        try:
            path.open("rb").close()
        except OSError as error:
            cure = "put the file there, readable for the user anju" if isinstance(error, FileNotFoundError) else (
                "let the user anju read it (sudo chgrp anju FILE, sudo chmod 640 FILE)")
            problems.append(f"city.{key}: {path} cannot be read ({error.strerror}): {cure}")
    return problems
