"""The fall model that is shipped in the package."""

from importlib import resources

from gateway.detect.falls import BadModel, Forest, decode, features
from gateway.detect.falls.forest import REINSTALL

FILE = "wrist.model"


def load() -> Forest:
    """Return the model. Raises BadModel."""
    try:
        file = resources.files("gateway.detect.falls").joinpath(FILE).read_bytes()
    except OSError as error:
        raise BadModel(f"the fall model cannot be read ({error.strerror})", REINSTALL) from error
    return decode(file, features.NAMES)
