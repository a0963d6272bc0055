"""Which wheel of a lock an image gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.environment.machine import Machine, tags
from cogyard.image.errors import BuildNotPossibleError, NoWheelError
from cogyard.image.wheels.select import select
from cogyard.image.wheels.selected import selected

AMD = Machine(python=(3, 11), architecture="amd64", glibc=(2, 36))
HASH = "a" * 64


def lock(*packages: str) -> str:
    """Return a lock of these packages."""
    return "\n".join(['lock-version = "1.0"', 'created-by = "test"', *packages])


def package(name: str, *wheels: str, sdist: str | None = None, extra: str = "") -> str:
    """Return a package of a lock, with its files."""
    rows = ", ".join(
        f'{{url = "https://x.example/{each}", size = 7, hashes = {{sha256 = "{HASH}"}}}}' for each in wheels
    )
    source = f'sdist = {{url = "https://x.example/{sdist}", hashes = {{sha256 = "{HASH}"}}}}' if sdist else ""
    return f'[[packages]]\nname = "{name}"\nversion = "1.0"\n{extra}\nwheels = [{rows}]\n{source}\n'


def names(text: str, machine: Machine = AMD, *, local_builds: bool = False) -> list[str]:
    """Return the chosen files' names."""
    return [each.filename for each in select(text, machine, local_builds=local_builds)]


def test_the_best_wheel_of_the_machine_is_chosen() -> None:
    """A wheel for the exact Python and the newest fitting C library goes before older and universal ones."""
    every = (
        "a-1.0-py3-none-any.whl",
        "a-1.0-cp311-cp311-manylinux2014_x86_64.whl",
        "a-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "a-1.0-cp311-cp311-manylinux_2_39_x86_64.whl",
        "a-1.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        "a-1.0-cp311-cp311-musllinux_1_2_x86_64.whl",
        "a-1.0-cp311-cp311-manylinux_2_28_aarch64.whl",
        "a-1.0-cp311-cp311-macosx_11_0_arm64.whl",
    )
    text = lock(package("a", *every))
    assert names(text) == ["a-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"]
    arm = Machine(python=(3, 11), architecture="arm64", glibc=(2, 36))
    assert names(text, arm) == ["a-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"]
    newer = Machine(python=(3, 11), architecture="amd64", glibc=(2, 41))
    assert names(text, newer) == ["a-1.0-cp311-cp311-manylinux_2_39_x86_64.whl"]


def test_stable_abi_and_universal_wheels_will_do() -> None:
    """abi3 wheels of older Pythons run on newer ones."""
    text = lock(
        package("a", "a-1.0-cp38-abi3-manylinux2014_x86_64.whl"), package("b", "b-1.0-py2.py3-none-any.whl")
    )
    assert names(text) == ["a-1.0-cp38-abi3-manylinux2014_x86_64.whl", "b-1.0-py2.py3-none-any.whl"]


def test_source_is_taken_when_there_is_no_wheel() -> None:
    """A source archive is chosen, and marked to be built first."""
    chosen = select(lock(package("a", sdist="a-1.0.tar.gz")), AMD)
    assert [(each.filename, each.is_wheel) for each in chosen] == [("a-1.0.tar.gz", False)]


def test_a_package_with_nothing_fitting_is_named() -> None:
    """The message names the package and the machine."""
    with pytest.raises(NoWheelError) as caught:
        select(lock(package("only-mac", "only_mac-1.0-cp311-cp311-macosx_11_0_arm64.whl")), AMD)
    assert "only-mac" in caught.value.message
    assert "glibc 2.36" in caught.value.message


def test_markers_speak_of_the_image_not_of_this_machine() -> None:
    """A package for Windows is left out, one for the image's Python is in, whatever builds it."""
    text = lock(
        package("a", "a-1.0-py3-none-any.whl", extra="marker = \"sys_platform == 'win32'\""),
        package(
            "b",
            "b-1.0-py3-none-any.whl",
            extra="marker = \"platform_machine == 'x86_64' and python_version < '3.12'\"",
        ),
    )
    assert names(text) == ["b-1.0-py3-none-any.whl"]


def test_a_git_repository_is_taken_by_its_commit() -> None:
    """It is built where the image is; its address and commit say what of it."""
    vcs = 'vcs = {type = "git", url = "https://x.example/v", commit-id = "abc", subdirectory = "s"}'
    (found,) = select(lock(f'[[packages]]\nname = "v"\n{vcs}\n'), AMD)
    assert (found.url, found.commit, found.subdirectory, found.is_wheel) == (
        "https://x.example/v",
        "abc",
        "s",
        False,
    )


def test_another_version_control_is_refused() -> None:
    """What cannot be fetched is said so, with a way out."""
    vcs = '[[packages]]\nname = "v"\nvcs = {type = "hg", url = "https://x.example/v", commit-id = "abc"}\n'
    with pytest.raises(BuildNotPossibleError) as caught:
        select(lock(vcs), AMD)
    assert "wheel" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "x", "[", 'lock-version = "9.0"\ncreated-by = "x"\npackages = []'])
def test_what_is_no_lock_is_refused(text: str) -> None:
    """A broken or future lock is an error of its own, not a crash."""
    with pytest.raises(NoWheelError):
        select(text, AMD)


def test_wheels_built_here_fit_only_a_machine_like_this() -> None:
    """A plain linux wheel is accepted only where the builder is like the target."""
    text = lock(package("a", "a-1.0-cp311-cp311-linux_x86_64.whl"))
    assert names(text, local_builds=True) == ["a-1.0-cp311-cp311-linux_x86_64.whl"]
    with pytest.raises(NoWheelError):
        names(text)


def test_tags_are_listed_once_and_best_first() -> None:
    """The newest platform of the exact interpreter leads; legacy names are there."""
    listed = [str(tag) for tag in tags(AMD)]
    assert listed[0] == "cp311-cp311-manylinux_2_36_x86_64"
    assert "cp311-cp311-manylinux2014_x86_64" in listed
    assert listed[-1].endswith("none-any")
    assert len(listed) == len(set(listed))


def test_what_was_selected_is_remembered_for_the_same_lock_and_machine(tmp_path: Path) -> None:
    """The memory gives what selecting gives; another machine, or a memory that cannot be read, selects anew."""
    wheels = [f"a-1.0-cp311-cp311-manylinux_2_17_{each}.whl" for each in ("x86_64", "aarch64")]
    text, machine = lock(package("a", *wheels)), AMD
    first = selected(text, machine, tmp_path)
    assert first == select(text, machine)
    (kept,) = (tmp_path / "selected").iterdir()
    before = kept.read_bytes()
    assert selected(text, machine, tmp_path) == first
    other = Machine(python=(3, 11), architecture="arm64", glibc=(2, 36))
    assert selected(text, other, tmp_path) == select(text, other) != first
    kept.write_bytes(b"{")
    assert selected(text, machine, tmp_path) == first
    assert kept.read_bytes() == before
