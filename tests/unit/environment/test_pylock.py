"""Narrowing a lock of every platform to one."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.environment import LockInvalidError
from cogyard.environment.machine import Machine
from cogyard.environment.pylock import absolute, narrowed, parse, render, shared, without_credentials

AMD = Machine(python=(3, 12), architecture="amd64", glibc=(2, 36))
ARM = Machine(python=(3, 12), architecture="arm64", glibc=(2, 36))
EVERYWHERE = """\
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "numpy"
version = "2.0"
sdist = { name = "numpy-2.0.tar.gz", path = "a/numpy-2.0.tar.gz", hashes = { sha256 = "aa" } }
wheels = [
  { hashes = { sha256 = "bb" }, upload-time = 2026-01-01, path = "numpy-2.0-cp312-cp312-manylinux_2_28_x86_64.whl" },
  { path = "numpy-2.0-cp312-cp312-manylinux_2_28_aarch64.whl", hashes = { sha256 = "cc" } },
  { path = "numpy-2.0-cp313-cp313-manylinux_2_28_x86_64.whl", hashes = { sha256 = "dd" } },
  { path = "numpy-2.0-cp312-cp312-win_amd64.whl", hashes = { sha256 = "ee" } },
]
[[packages]]
name = "colorama"
version = "1.0"
marker = "sys_platform == 'win32'"
[[packages]]
name = "old"
version = "1.0"
marker = "python_full_version < '3.12'"
[[packages]]
name = "arm"
version = "1.0"
marker = "platform_machine == 'aarch64'"
"""


def test_only_what_the_machine_installs_stays() -> None:
    """One file of each package, and no package of other platforms; a source only where no wheel fits."""
    found = narrowed(parse(EVERYWHERE), AMD, Path("/base"))
    (numpy,) = found["packages"]
    assert [one["hashes"]["sha256"] for one in numpy["wheels"]] == ["bb"]
    assert "upload-time" not in numpy["wheels"][0]
    assert "sdist" not in numpy
    assert numpy["wheels"][0]["path"].startswith("/base/numpy-2.0-cp312")
    old = narrowed(
        parse(EVERYWHERE), Machine(python=(3, 12), architecture="amd64", glibc=(2, 17)), Path("/base")
    )
    assert old["packages"][0]["sdist"]["path"] == "/base/a/numpy-2.0.tar.gz"
    assert "wheels" not in old["packages"][0]
    assert found["requires-python"] == "==3.12.*"
    assert [one["name"] for one in narrowed(parse(EVERYWHERE), ARM, Path("/base"))["packages"]] == [
        "arm",
        "numpy",
    ]


def test_the_most_specific_wheel_is_taken() -> None:
    """As an installer does: this Python's before any Python's, the newer C library's, then the later build."""
    names = [
        "a-1-py3-none-any.whl",
        "a-1-cp38-abi3-manylinux_2_28_x86_64.whl",
        "a-1-cp312-cp312-manylinux_2_17_x86_64.whl",
        "a-1-1-cp312-cp312-manylinux_2_28_x86_64.whl",
        "a-1-2-cp312-cp312-manylinux_2_28_x86_64.whl",
    ]
    document = {"packages": [{"name": "a", "wheels": [{"path": one} for one in names]}]}
    (found,) = narrowed(document, AMD, Path("/base"))["packages"]
    assert [Path(one["path"]).name for one in found["wheels"]] == [names[-1]]


def test_no_password_is_kept_and_no_place_of_this_machine() -> None:
    """Addresses lose users and passwords, files of the project count from its folder; git's own user stays."""
    package = {
        "name": "a",
        "wheels": [{"url": "https://me:s3cret@x.example:8443/a.whl"}, {"path": "w/a.whl"}],
        "archive": {"path": "/elsewhere/b.whl"},
        "vcs": {"type": "git", "url": "https://token@x.example/a.git"},
    }
    (found,) = absolute({"packages": [package]}, Path("/root"))["packages"]
    assert found["wheels"] == [{"url": "https://x.example:8443/a.whl"}, {"path": "/root/w/a.whl"}]
    assert found["vcs"]["url"] == "https://x.example/a.git"
    assert without_credentials("ssh://git@x.example/a.git") == "ssh://git@x.example/a.git"
    again = shared(found, Path("/root"))
    assert [one.get("path") for one in (*again["wheels"], again["archive"])] == [
        None,
        "w/a.whl",
        "/elsewhere/b.whl",
    ]


def test_the_text_is_the_same_every_time() -> None:
    """A lock is compared and hashed: reading and writing it again changes no byte."""
    text = render(narrowed(parse(EVERYWHERE), AMD, Path("/base")))
    assert render(narrowed(parse(text), AMD, Path("/other"))) == text


def test_paths_count_from_the_folder_of_the_lock() -> None:
    """They are written relative to its output."""
    document = parse('[[packages]]\nname = "a"\narchive = { path = "../w/a.whl" }\n')
    assert absolute(document, Path("/x/y"))["packages"][0]["archive"]["path"] == "/x/w/a.whl"


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "packages = 3",
        "packages = [1]",
        '[[packages]]\nversion = "1"\n',
        '[[packages]]\nname = "a"\nmarker = "no marker"\n',
        '[[packages]]\nname = "a"\nwheels = [{url = "https://x.example/a.txt"}]\n',
    ],
)
def test_what_is_not_a_lock_is_told(text: str) -> None:
    """A stranger's lock fails with one error, not with any."""
    with pytest.raises(LockInvalidError):
        narrowed(parse(text), AMD, Path("/base"))
