"""cog.lock as a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cogyard.environment import LockInvalidError, Target
from cogyard.environment.coglock import FORMAT, CogLock, merged, read

ROOT = Path("/root/project")


def wheel(name: str, machine: str | None = None) -> dict[str, Any]:
    """Return a package with one wheel."""
    tag = f"cp312-cp312-manylinux_2_28_{machine}" if machine else "py3-none-any"
    file = {"url": f"https://x.example/{name}-1.0-{tag}.whl", "hashes": {"sha256": "aa"}}
    return {"name": name, "version": "1.0", "wheels": [file]}


def two_platforms() -> CogLock:
    """Return a lock for both architectures, with a package that only one has."""
    amd = {"packages": [wheel("both", "x86_64"), wheel("cuda", "x86_64"), wheel("pure")]}
    arm = {"packages": [wheel("both", "aarch64"), wheel("pure")]}
    asked = {
        "python": "3.12",
        "gpu": False,
        "requirements": ["both", "cuda; x"],
        "files": {"a.whl": "sha256:1"},
    }
    own = {"format": FORMAT, "platforms": ["linux/amd64", "linux/arm64"], "asked": asked}
    packages = merged({"linux/amd64": amd, "linux/arm64": arm})
    return CogLock({"lock-version": "1.0", "packages": packages, "tool": {"cogyard": own}}, ROOT)


def test_platforms_share_one_document() -> None:
    """What all have stands once with everybody's wheels; what one has carries a marker."""
    lock = two_platforms()
    both, cuda, pure = lock.packages
    assert len(both["wheels"]) == 2
    assert "marker" not in both
    assert cuda["marker"] == "platform_machine == 'x86_64'"
    assert len(pure["wheels"]) == 1


@pytest.mark.parametrize(
    ("platform", "names"), [("linux/amd64", ["both", "cuda", "pure"]), ("linux/arm64", ["both", "pure"])]
)
def test_each_platform_gets_its_own(platform: str, names: list[str]) -> None:
    """One file of each package, none of another platform."""
    found = two_platforms().lock(Target(python="3.12", platform=platform), "cog.lock")
    assert found is not None
    assert [one.name for one in found.packages] == names
    assert all(len(one.wheels) == 1 for one in found.packages)
    assert found.origin == "cog.lock"
    assert "cogyard.because" not in found.text


def test_a_platform_it_was_not_made_for_gets_nothing() -> None:
    """Not a lock that happens to fit."""
    amd = merged({"linux/amd64": {"packages": [wheel("pure")]}})
    lock = CogLock({"packages": amd, "tool": {"cogyard": {"platforms": ["linux/amd64"]}}}, ROOT)
    assert lock.lock(Target(python="3.12", platform="linux/arm64"), "cog.lock") is None


def test_a_machine_that_no_wheel_fits_gets_nothing() -> None:
    """Better resolved anew than failing in the installer."""
    packages = merged({"linux/amd64": {"packages": [wheel("both", "aarch64")]}})
    lock = CogLock({"packages": packages, "tool": {"cogyard": {"platforms": ["linux/amd64"]}}}, ROOT)
    assert lock.lock(Target(python="3.12", platform="linux/amd64"), "cog.lock") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"requirements": ["cuda; x", "both"]}, []),
        ({"python": "3.13"}, ["python was 3.12, and is 3.13 now"]),
        ({"requirements": ["both>2"]}, ["both was taken out", "cuda; x was taken out", "both>2 was added"]),
        ({"files": {"a.whl": "sha256:2"}}, ["a.whl changed"]),
        ({"cuda": "12.8"}, ["cuda 12.8 was added"]),
    ],
)
def test_what_changed_is_named(change: dict[str, Any], said: list[str]) -> None:
    """A stale lock says what about it is stale."""
    lock = two_platforms()
    assert lock.changes({**lock.own["asked"], **change}) == said


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The same document, the same bytes."""
    path = tmp_path / "cog.lock"
    path.write_text(two_platforms().text)
    found = read(path)
    assert found is not None
    assert found.text == path.read_text()
    assert read(tmp_path / "other.lock") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<<<<<<< HEAD\n", "cannot be read"),
        ('lock-version = "1.0"\n', "format None"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_damaged_one_says_the_way_out(tmp_path: Path, text: str, said: str) -> None:
    """A merge conflict is the usual damage."""
    (tmp_path / "cog.lock").write_text(text)
    with pytest.raises(LockInvalidError, match=said) as caught:
        read(tmp_path / "cog.lock")
    assert caught.value.hint == "`cog lock` writes cog.lock anew."
