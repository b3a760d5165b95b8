"""The configuration: TOML text -> typed values, or an error that names file, key and cure."""

from gateway.config.errors import ConfigError, ConfigForbidden
from gateway.config.load import load, parse, read, salvage
from gateway.config.schema import City, Config, Detect, Device, Gateway, Sms, Storage, Vitals, Voice

__all__ = ["City", "Config", "ConfigError", "ConfigForbidden", "Detect", "Device", "Gateway", "Sms",
           "Storage", "Vitals", "Voice", "load", "parse", "read", "salvage"]
