"""The technician's command. One file a verb; what a verb needs is imported when it runs, so that it starts at once."""

DEFAULT_CONFIG_FILE = "/etc/anju/anju.toml"
CONFIG_VARIABLE = "ANJU_CONFIG"
