"""Bond: whether a call failed because device and gateway share no key, or no longer. BlueZ keeps the bonds, not we."""

from bleak.exc import BleakDBusError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

_ERRORS = {f"org.bluez.Error.{name}" for name in (
    "AuthenticationFailed", "AuthenticationCanceled", "AuthenticationRejected", "AuthenticationTimeout")}
_CODES = {BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION, BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
          BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE}
_TEXTS = {
    ("org.bluez.Error.NotPermitted", "Not paired"),  # src/gatt-client.c: no error name of its own
    ("org.bluez.Error.Failed", "le-connection-key-missing"),  # src/error.h; older bluetoothds only drop the link
}


def is_missing(error: BaseException | None) -> bool:
    """Tell whether an error of bleak, or what caused it, is want of a bond that both sides know."""
    while error is not None:
        if isinstance(error, BleakGATTProtocolError) and error.code in _CODES:
            return True
        if isinstance(error, BleakDBusError) and (
                error.dbus_error in _ERRORS or (error.dbus_error, error.dbus_error_details) in _TEXTS):
            return True
        error = error.__cause__
    return False


def missing(what: str, address: str) -> tuple[str, str]:
    """Reason and cure that the session ends with then."""
    return (f"{what} failed: device and gateway share no bond, or no longer",
            f"put the device into its pairing mode and pair it: anju ble pair {address}")


def doubted(reason: str, cure: str, address: str) -> tuple[str, str]:
    """Reason and cure where a bonded device does not connect: bluetoothd 5.66 does not say that its key is refused."""
    again = missing("connecting", address)[1]
    return reason, cure if again in cure else f"{cure}; it is bonded, so if it was reset since then: {again}"
