"""PrivateBus: a D-Bus daemon of the bench's own, which takes the place of the system bus.

bleak and dbus-fast find it by DBUS_SYSTEM_BUS_ADDRESS, the only seam there is: set it for the process under test.
"""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={folder}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_type="method_call"/> <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/> <allow receive_type="method_return"/>
    <allow receive_type="error"/> <allow receive_type="signal"/>
  </policy>
</busconfig>
"""


def missing() -> str | None:
    """Say why there can be no private bus here, None if there can."""
    return None if shutil.which("dbus-daemon") else "dbus-daemon is not installed (package dbus-daemon)"


@asynccontextmanager
async def private_bus() -> AsyncIterator[str]:
    """Run a D-Bus daemon while the context is open; yield its address."""
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="anju-bus-")
    configuration = Path(folder, "bus.conf")
    await asyncio.to_thread(configuration.write_text, _CONFIGURATION.format(folder=folder), "utf-8")
    process = await asyncio.create_subprocess_exec(
        "dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile", "--print-address=1",
        stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise RuntimeError("dbus-daemon did not start: see its message above")
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
