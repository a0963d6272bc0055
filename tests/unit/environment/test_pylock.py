"""Narrowing a lock of every platform to one."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.environment import LockInvalidError
from cogyard.environment.machine import Machine
from cogyard.environment.pylock import absolute, narrowed, parse, render

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
    """Packages of other platforms and wheels of other machines are gone; a source stays as the way out."""
    found = narrowed(parse(EVERYWHERE), AMD, Path("/base"))
    (numpy,) = found["packages"]
    assert [one["hashes"]["sha256"] for one in numpy["wheels"]] == ["bb"]
    assert "upload-time" not in numpy["wheels"][0]
    assert numpy["sdist"]["path"] == "/base/a/numpy-2.0.tar.gz"
    assert found["requires-python"] == "==3.12.*"
    assert [one["name"] for one in narrowed(parse(EVERYWHERE), ARM, Path("/base"))["packages"]] == [
        "arm",
        "numpy",
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
