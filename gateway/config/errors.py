"""Errors of the configuration."""


class ConfigError(Exception):
    """The configuration cannot be used; str() lists every problem as `file: key: what is wrong: what to do`."""

    def __init__(self, path: object, problems: list[str]) -> None:
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))
        self.problems = problems


class ConfigForbidden(ConfigError):
    """There is a configuration, but this user may not read it."""
