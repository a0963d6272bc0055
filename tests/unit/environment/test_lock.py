"""Locks, cache keys and targets as values."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.environment import CacheError, Lock, LockInvalidError, Target, UnresolvableError, cache_dir
from cogyard.environment import cache as caching

TEXT = """\
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.11"

[[packages]]
name = "pillow"
version = "12.0.0"
sdist = { url = "https://example.com/p/pillow-12.0.0.tar.gz", size = 9, hashes = { sha256 = "aa" } }
wheels = [
    { url = "https://example.com/p/pillow-12.0.0-cp311-cp311-x%2By.whl", size = 7, hashes = { sha256 = "bb" } },
]

[[packages]]
name = "mine"
archive = { path = "/wheels/mine-1.0-py3-none-any.whl", hashes = { sha256 = "cc" } }
"""


def test_a_lock_names_its_files() -> None:
    """Wheels, source archives and local files are told apart; names are decoded."""
    lock = Lock(TEXT, "3.11", "linux/amd64")
    mine, pillow = lock.packages
    assert (pillow.name, pillow.version) == ("pillow", "12.0.0")
    assert [(one.name, one.size, one.sha256) for one in pillow.wheels] == [
        ("pillow-12.0.0-cp311-cp311-x+y.whl", 7, "bb")
    ]
    assert pillow.sdist is not None
    assert pillow.sdist.name == "pillow-12.0.0.tar.gz"
    assert mine.wheels[0].path == "/wheels/mine-1.0-py3-none-any.whl"
    assert lock.freeze() == "mine @ /wheels/mine-1.0-py3-none-any.whl\npillow==12.0.0"


@pytest.mark.parametrize(
    "text", ["not toml [", "[[packages]]\nversion = '1'\n", "packages = 3\n", "packages = [1]\n"]
)
def test_what_is_not_a_lock_is_refused(text: str) -> None:
    """A lock out of an image is a stranger's file."""
    with pytest.raises(LockInvalidError):
        _ = Lock(text, "3.11").packages


def test_keys_depend_on_every_part_and_its_borders() -> None:
    """Two different questions never share an answer."""
    assert caching.key("a", "bc") != caching.key("ab", "c")
    assert caching.key("a") == caching.key(b"a")


def test_the_cache_is_where_it_is_told_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """COGYARD_CACHE_DIR wins over XDG, XDG over the home folder."""
    monkeypatch.delenv("COGYARD_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "cogyard"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "cogyard"
    monkeypatch.setenv("COGYARD_CACHE_DIR", "~/own")
    assert cache_dir() == tmp_path / "own"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A cache that cannot be written is told with the way out."""
    caching.write(tmp_path / "a" / "b", b"data")
    assert (tmp_path / "a" / "b").read_bytes() == b"data"
    with pytest.raises(CacheError) as caught:
        caching.write(tmp_path / "a" / "b" / "c", b"data")
    assert caught.value.hint is not None
    assert "COGYARD_CACHE_DIR" in caught.value.hint
    assert [one.name for one in (tmp_path / "a").iterdir()] == ["b"]


def test_a_lock_file_is_held_by_one(tmp_path: Path) -> None:
    """Who has to wait is told so."""
    import threading

    path, waited, entered = tmp_path / "x.lock", threading.Event(), []

    def second() -> None:
        with caching.locked(path, waited.set):
            entered.append(2)

    with caching.locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(10)
        entered.append(1)
    thread.join(10)
    assert entered == [1, 2]


def test_platforms_are_those_we_build_for() -> None:
    """An unknown platform is refused by name."""
    assert Target(python="3.11", platform="linux/amd64").uv_platform == "x86_64-manylinux_2_36"
    assert Target(python="3.11").uv_platform is None
    with pytest.raises(UnresolvableError, match="windows/amd64"):
        _ = Target(python="3.11", platform="windows/amd64").uv_platform
