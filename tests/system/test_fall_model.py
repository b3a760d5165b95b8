"""A gateway whose fall model is damaged: it says so with the cure, and everything else goes on."""

import shutil
from pathlib import Path

import gateway
from gateway.runtime import fall_model
from hil.strategies.gateway import Gateway
from tests.system.daemon import BASE, fault, flat

ROOT = Path(gateway.__file__).parents[1]


def damaged(folder: Path) -> Path:
    """The program as it is installed, with one bit of its fall model turned over."""
    for package in ("gateway", "drivers", "hil"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    model = folder / "gateway/detect/falls" / fall_model.FILE
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    return folder


async def test_a_damaged_fall_model_is_told_with_its_cure_and_an_sos_arrives_all_the_same(tmp_path: Path) -> None:
    async with flat(tmp_path, BASE, start=False) as home:
        code = damaged(tmp_path / "code")
        environment = home.environment | {"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}
        home.gateway = Gateway(home.gateway.config, home.gateway.run_dir, tmp_path / "gateway.log", environment)
        try:
            await home.gateway.start()
            await home.gateway.wait_devices("up", {"sos"})
            status = await home.status()
            told = fault(status, "detector falls")
            assert told is not None
            assert "fall model is damaged" in told["reason"]
            assert "install anju again" in told["cure"]
            await home.press_sos()
            await home.city_has("sos")
        finally:
            await home.gateway.program.stop()
