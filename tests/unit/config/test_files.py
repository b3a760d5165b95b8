"""Files under [city]: a strict check tells which cannot be read; parsing and salvaging open none of them."""

from pathlib import Path

import pytest

from gateway.config import City, ConfigError, files, load, parse

TEXT = '[gateway]\nid = "a"\n[city]\nhost = "care.example"\n'
KEYS = ("ca_file", "cert_file", "key_file", "password_file")


@pytest.mark.parametrize("key", KEYS)
def test_a_file_that_is_not_there_is_told_by_the_check_and_not_by_the_parser(key: str, tmp_path: Path) -> None:
    path = tmp_path / "anju.toml"
    path.write_text(f'{TEXT}{key} = "{tmp_path}/none"\n')
    parse(path.read_text(), path, {}, {})
    with pytest.raises(ConfigError) as caught:
        load(path, {}, {})
    assert caught.value.problems == [
        f"city.{key}: {tmp_path}/none cannot be read (No such file or directory): "
        "put the file there, readable for the user anju"]


def test_a_file_that_this_user_may_not_read_is_told_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    (told,) = files.unreadable(City(host="care.example", key_file=tmp_path / "key"))
    assert told.startswith(f"city.key_file: {tmp_path}/key cannot be read (Permission denied): let the user anju read")


def test_files_that_can_be_read_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    assert files.unreadable(City(host="care.example", **dict.fromkeys(KEYS, tmp_path / "f"))) == []


def test_a_credential_of_systemd_is_looked_for_only_while_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CREDENTIALS", tmp_path)
    city = City(host="care.example", key_file=tmp_path / "anju.service" / "gateway.key")
    assert files.unreadable(city) == []
    (tmp_path / "anju.service").mkdir()
    assert len(files.unreadable(city)) == 1
