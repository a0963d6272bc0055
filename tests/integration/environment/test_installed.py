"""What is installed beside this program is what the installer's own records say, remembered or not."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from cogyard.environment import installed


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(tmp_path / "cache"))
    installed.forget()


@pytest.mark.parametrize("name", ["cogyard", "cogyard-model-server", "uv", "msgspec"])
def test_versions_and_requirements_are_the_installers(name: str) -> None:
    """Asked twice, and by a process that finds what another one has remembered."""
    for _ in range(3):
        assert installed.version(name) == version(name)
        assert list(installed.requires(name)) == list(requires(name) or ())
        installed.forget()


def test_what_is_not_installed_is_an_error() -> None:
    """The installer's own."""
    with pytest.raises(PackageNotFoundError):
        installed.version("cogyard-of-another-day")


def test_an_installation_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that gets a package, loses one, or gets another release of it changes the stamp."""
    place = tmp_path / "site"
    (place / "cogyard-7.dist-info").mkdir(parents=True)
    (place / "cogyard-7.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: cogyard\nVersion: 7\n"
    )
    monkeypatch.syspath_prepend(str(place))
    before = installed.stamp()
    assert installed.version("cogyard") == "7"
    (place / "cogyard-7.dist-info" / "METADATA").unlink()
    (place / "cogyard-7.dist-info").rmdir()
    (place / "cogyard-8.dist-info").mkdir()
    (place / "cogyard-8.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: cogyard\nVersion: 8\n"
    )
    installed.forget()
    assert installed.stamp() != before
    assert installed.version("cogyard") == "8"
