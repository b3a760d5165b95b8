"""What becomes of a pairing request, as a table; and which errors mean that a bond is missing."""

import pytest
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.ble import bond
from drivers.bus.ble.pairing import Do, Request, Window, decide

OURS, OTHER = "C0:00:00:00:00:B0", "C0:00:00:00:00:B1"
OPEN = Window(OURS, 100.0)
AGENT_METHODS = ("RequestPinCode", "DisplayPinCode", "RequestPasskey", "DisplayPasskey", "RequestConfirmation",
                 "RequestAuthorization", "AuthorizeService")


@pytest.mark.parametrize(("window", "method", "address", "now_mono_s", "do", "why"), [
    (OPEN, "RequestPasskey", OURS, 99.9, Do.ASK_PASSKEY, ""),
    (OPEN, "RequestConfirmation", OURS, 99.9, Do.ASK_SAME_NUMBER, ""),
    (OPEN, "RequestAuthorization", OURS, 99.9, Do.ACCEPT, ""),
    (OPEN, "RequestPasskey", OURS, 100.0, Do.REJECT, "no window"),
    (None, "RequestPasskey", OURS, 99.9, Do.REJECT, "no window"),
    (OPEN, "RequestPasskey", OTHER, 99.9, Do.REJECT, "another device"),
    (OPEN, "RequestAuthorization", OTHER, 99.9, Do.REJECT, "another device"),
    (OPEN, "RequestPinCode", OURS, 99.9, Do.REJECT, "not offered"),
    (OPEN, "DisplayPasskey", OURS, 99.9, Do.REJECT, "not offered"),
    (OPEN, "AuthorizeService", OURS, 99.9, Do.REJECT, "not offered"),
])
def test_a_request_is_answered_as_the_table_says(window, method, address, now_mono_s, do, why) -> None:
    told, reason = decide(window, Request(method, address), now_mono_s)
    assert told is do
    assert why in reason
    assert bool(reason) is (do is Do.REJECT), "a rejection says why"


@given(method=st.sampled_from(AGENT_METHODS) | st.text(), address=st.sampled_from([OURS, OTHER, ""]) | st.text(),
       window=st.none() | st.builds(Window, st.sampled_from([OURS, OTHER]), st.floats(0, 200)),
       now_mono_s=st.floats(0, 200))
def test_only_the_device_of_an_open_window_is_not_rejected(method, address, window, now_mono_s) -> None:
    do, _ = decide(window, Request(method, address), now_mono_s)
    if do is not Do.REJECT:
        assert window is not None
        assert address == window.address
        assert now_mono_s < window.until_mono_s
        assert method in ("RequestPasskey", "RequestConfirmation", "RequestAuthorization")


@pytest.mark.parametrize("error", [
    BleakDBusError("org.bluez.Error.NotPermitted", ["Not paired"]),
    BleakDBusError("org.bluez.Error.AuthenticationFailed", []),
    BleakDBusError("org.bluez.Error.Failed", ["le-connection-key-missing"]),
    BleakGATTProtocolError(BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION),
    BleakGATTProtocolError(BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION),
])
def test_want_of_a_bond_is_known_also_as_a_cause(error) -> None:
    assert bond.is_missing(error)
    wrapped = BleakError("failed to connect after 2 attempts")
    wrapped.__cause__ = error
    assert bond.is_missing(wrapped)


@pytest.mark.parametrize("error", [
    None, OSError("gone"), TimeoutError(), BleakError("Not paired"),
    BleakDBusError("org.bluez.Error.NotPermitted", ["Read not permitted"]),
    BleakDBusError("org.bluez.Error.NotPermitted", []),
    BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]),
    BleakGATTProtocolError(BleakGATTProtocolErrorCode.READ_NOT_PERMITTED),
])
def test_other_errors_send_nobody_to_pair(error) -> None:
    assert not bond.is_missing(error)
