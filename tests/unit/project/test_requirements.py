"""Requirement lines and files."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.project import Project, ProjectError, load_project
from cogyard.project.requirements import PLAIN
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

CONFIG = 'build:\n  python_version: "3.11"\n  python_requirements: r.txt\npredict: "p.py:P"\n'


def load(folder: Path, requirements: str, **files: str) -> Project:
    """Write a project with a requirements file and read it."""
    (folder / "cog.yaml").write_text(CONFIG)
    (folder / "p.py").write_text("class P: ...\n")
    (folder / "r.txt").write_text(requirements)
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content)
    return load_project(folder)


def test_lines_options_and_comments_are_told_apart(tmp_path: Path) -> None:
    """What pip reads, we read."""
    text = """\
# a comment
pillow==12.0.0  # another
numpy \\
  >=2
--extra-index-url https://example.com/simple
-f wheels
requests[socks]>=2; python_version >= "3.10"
pkg @ https://example.com/pkg-1.0-py3-none-any.whl
https://example.com/other-1.0-py3-none-any.whl
six==1.0 --hash=sha256:HASH \\
    --hash=sha256:HASH
-r more.txt
-c limits.txt
"""
    digest = "0a" * 32
    project = load(tmp_path, text.replace("HASH", digest), more="idna\n", limits="idna<4\n")
    assert project.requirements == (
        "pillow==12.0.0",
        "numpy >=2",
        'requests[socks]>=2; python_version >= "3.10"',
        "pkg @ https://example.com/pkg-1.0-py3-none-any.whl",
        "https://example.com/other-1.0-py3-none-any.whl",
        f"six==1.0 --hash=sha256:{digest} --hash=sha256:{digest}",
        "idna",
    )
    assert project.requirement_options == (
        "--extra-index-url https://example.com/simple",
        f"--find-links {(tmp_path / 'wheels').resolve()}",
    )
    assert project.constraints == ("idna<4",)
    assert [one.name for one in project.requirement_files] == ["r.txt", "more.txt", "limits.txt"]


def test_options_may_follow_a_requirement(tmp_path: Path) -> None:
    """As Cog takes them: `torch==2.0.1 --extra-index-url=…`, in requirements and in python_packages alike."""
    project = load(tmp_path, "six==1.0 --extra-index-url=https://a/b\nidna -f https://c/d -i https://e/f\n")
    assert project.requirements == ("six==1.0", "idna")
    options = (
        "--extra-index-url https://a/b",
        "--find-links https://c/d",
        "--index-url https://e/f",
    )
    assert project.requirement_options == options
    packages = (
        "['six==1.0 --extra-index-url=https://a/b', '--find-links https://c/d', '-i https://e/f', idna]"
    )
    (tmp_path / "cog.yaml").write_text(
        CONFIG.replace("python_requirements: r.txt", f"python_packages: {packages}")
    )
    project = load_project(tmp_path)
    assert (project.requirements, project.requirement_options) == (("six==1.0", "idna"), options)


def test_an_editable_from_git_is_installed_as_any_other(tmp_path: Path) -> None:
    """`-e git+…`, which older models have, is taken with a warning; what has no effect is told."""
    project = load(
        tmp_path, "-e git+https://a/b.git@c#egg=b\n--trusted-host example.com\n--editable=git+https://a/d\n"
    )
    assert project.requirements == ("git+https://a/b.git@c#egg=b", "git+https://a/d")
    assert [one.place for one in project.warnings] == ["r.txt:1:1", "r.txt:2:1", "r.txt:3:1"]
    assert "no editable packages" in project.warnings[0].message
    assert "`--trusted-host` has no effect" in project.warnings[1].message


def test_a_file_that_two_others_name_is_read_once(tmp_path: Path) -> None:
    """Naming it twice is no circle."""
    project = load(
        tmp_path, "-r more.txt\n-c limits.txt\nsix\n", more="idna\n-c limits.txt\n", limits="idna<4\n"
    )
    assert (project.requirements, project.constraints) == (("idna", "six"), ("idna<4",))


def test_cogs_own_packages_are_left_out_with_a_word(tmp_path: Path) -> None:
    """The names cog and coglet on the index belong to others; our SDK takes their place."""
    project = load(tmp_path, "cog==0.16.2\nCoglet\ncogyard_sdk\ncogs\n")
    assert project.requirements == ("cogs",)
    assert project.dropped_requirements == ("cog==0.16.2", "Coglet", "cogyard_sdk")
    assert "left out" in project.warnings[0].message


def test_wheels_of_the_project_are_taken_by_path(tmp_path: Path) -> None:
    """A file in the folder is a requirement too."""
    (tmp_path / "mine-1.0-py3-none-any.whl").write_bytes(b"")
    project = load(tmp_path, "./mine-1.0-py3-none-any.whl\n")
    assert project.requirements == ((tmp_path / "mine-1.0-py3-none-any.whl").resolve().as_uri(),)


def test_a_file_of_an_editor_with_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Windows' editors leave their marks."""
    assert load(tmp_path, "\ufeffidna\r\n").requirements == ("idna",)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("idna\nfoo bar\n", "r.txt:2:1", "not a requirement"),
        ("==1.0\n", "r.txt:1:1", "not a requirement"),
        ("-e .\n", "r.txt:1:1", "editable"),
        ("--frobnicate\n", "r.txt:1:1", "not known here"),
        ("-r ../other.txt\n", "r.txt:1:1", "outside the project"),
        ("-r nothing.txt\n", "r.txt:1:1", "there is no such file"),
        ("-r r.txt\n", "r.txt:1:1", "in a circle"),
        ("six ===\n", "r.txt:1:1", "is not a requirement"),
        ("six==1.0 --hash=sha256:aa\n", "r.txt:1:1", "is not a hash"),
        ("six==1.0 --hash=md5:d41d8cd98f00b204e9800998ecf8427e\n", "r.txt:1:1", "is not a hash"),
        ("./nothing.whl\n", "r.txt:1:1", "there is no such file"),
        ("idna\n  foo \\\n  bar\n", "r.txt:2:3", "not a requirement"),
    ],
)
def test_a_wrong_line_is_shown_where_it_stands(tmp_path: Path, text: str, place: str, said: str) -> None:
    """Problems carry the requirements file's own lines."""
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.place == place
    assert said in problem.message


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://me:s3cret@x.example/simple",
        "--extra-index-url https://:s3cret@x.example/simple",
        "--find-links https://me:s3cret@x.example/flat",
        "a @ https://me:s3cret@x.example/a-1.0-py3-none-any.whl",
        "a @ git+https://me:s3cret@x.example/a.git",
    ],
)
def test_a_password_in_an_address_is_told_without_repeating_it(tmp_path: Path, line: str) -> None:
    """Whoever gets the file can read it; the message is not another place where it stands."""
    project = load(tmp_path, f"idna\n{line}\n")
    (problem,) = project.exposed
    assert problem.place == "r.txt:2:1"
    assert problem in project.warnings
    assert "s3cret" not in str(problem)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://${USER}:${PASSWORD}@x.example/simple",
        "--index-url https://x.example:8443/simple",
        "a @ git+ssh://git@x.example/a.git",
    ],
)
def test_a_variable_is_no_password(tmp_path: Path, line: str) -> None:
    """Neither are ports and git's own user."""
    assert load(tmp_path, f"{line}\n").exposed == ()


@given(st.from_regex(PLAIN, fullmatch=True))
def test_what_is_read_without_a_library_is_a_requirement_with_one(line: str) -> None:
    """The quick way takes nothing that packaging refuses, and finds the same name."""
    found = PLAIN.fullmatch(line)
    assert found is not None
    assert Requirement(line).name == found["name"]
