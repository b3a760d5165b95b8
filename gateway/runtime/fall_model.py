"""The fall model that is shipped in the package."""

from importlib import resources

from gateway.detect.falls import BadModel, Forest, decode, features

FILE = "wrist.model"


def load() -> Forest:
    """Return the model. Raises BadModel."""
    try:
        file = resources.files("gateway.detect.falls").joinpath(FILE).read_bytes()
    except OSError as error:
        reason = f"the fall model cannot be read ({error.strerror})"
        raise BadModel(f"{reason}: install anju again; check the card") from error
    return decode(file, features.NAMES)
