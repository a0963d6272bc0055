"""Which files go into an image."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cogyard.project import load_project
from cogyard.project.errors import ProjectError
from cogyard.project.ignore import compile_rules, is_weights, left_out, packed_among, source_files
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("rules", "name", "ignored"),
    [
        ("foo", "foo", True),
        ("foo", "foo/inside.txt", True),
        ("foo", "a/foo", False),
        ("/foo", "foo", True),
        ("foo/", "foo/x", True),
        ("./foo", "foo", True),
        ("a/../foo", "foo", True),
        ("*.txt", "a.txt", True),
        ("*.txt", "sub/a.txt", False),
        ("**/*.txt", "sub/deep/a.txt", True),
        ("**/*.txt", "a.txt", True),
        ("*/temp*", "sub/temporary.txt", True),
        ("*/temp*", "sub/deep/temp", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("# foo", "# foo", False),
        ("  foo  ", "foo", True),
        ("*\n!keep.md", "keep.md", False),
        ("*\n!keep.md", "drop.md", True),
        ("*\n!sub/keep.md", "sub/keep.md", False),
        ("*\n!sub/keep.md", "sub/deep/drop.md", True),
        ("*\n!sub", "sub/deep/keep.md", False),
        ("*", "sub/deep/drop.md", True),
        ("sub/*", "sub/deep/drop.md", True),
        ("sub/*\n!sub/deep", "sub/deep/keep.md", False),
        ("*/deep", "sub/deep/drop.md", True),
        ("**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/d/c/e", True),
        ("[^a].txt", "b.txt", True),
        ("[^a].txt", "a.txt", False),
        ("[^a]b", "/b", False),
        ("[a-c].txt", "b.txt", True),
        ("\\*.txt", "*.txt", True),
        ("\\*.txt", "a.txt", False),
        ("a.b*", "axb", False),
        ("*.txt", "new\nline.txt", True),
        ("docs\n!docs/keep.md", "docs/keep.md", False),
        ("docs\n!docs/keep.md", "docs/drop.md", True),
        ("!keep.md\n*.md", "keep.md", True),
        ("..", "foo", False),
        (".", "foo", False),
        ("foo\r\nbar\r\n", "bar", True),
    ],
)
def test_patterns_mean_what_they_mean_to_docker(rules: str, name: str, ignored: bool) -> None:
    """Patterns start at the root, `*` stops at a slash, the last match wins."""
    assert compile_rules(rules).match_file(name) is ignored


@pytest.mark.parametrize("rules", ["a[", "a\\", "[z-a]", "[]"])
def test_what_is_no_pattern_is_told_with_its_line(rules: str) -> None:
    """As Docker refuses it, and not passed over: it was to keep something out."""
    with pytest.raises(ProjectError) as error:
        compile_rules(f"*.log\n{rules}\n")
    assert (error.value.problems[0].file, error.value.problems[0].line) == (".dockerignore", 2)


def test_code_that_is_left_out_is_found(tmp_path: Path) -> None:
    """The image could not run without it."""
    project_with(tmp_path, "*.md\n!p.py\n")
    assert left_out(load_project(tmp_path)) is None
    project_with(tmp_path, "*\n!cog.yaml\n")
    assert left_out(load_project(tmp_path)) == "p.py"


def project_with(folder: Path, ignored: str, *names: str) -> list[str]:
    """Return the names of the source files of a project with these files."""
    (folder / "cog.yaml").write_text('build: {python_version: "3.11"}\npredict: "p.py:P"\n')
    (folder / "p.py").write_text("class P: ...\n")
    (folder / ".dockerignore").write_text(ignored)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return [one.name for one in source_files(load_project(folder))]


def test_files_come_sorted_and_caches_never(tmp_path: Path) -> None:
    """What is never the model's is left out without a word in .dockerignore."""
    names = (
        ".git/HEAD",
        ".cog/x",
        "a/__pycache__/p.pyc",
        ".venv/bin/python",
        "b.txt",
        "a/z.txt",
        "a.txt",
        "q.pyc",
    )
    assert project_with(tmp_path, "", *names) == [
        ".dockerignore",
        "a/z.txt",
        "a.txt",
        "b.txt",
        "cog.yaml",
        "p.py",
    ]


def test_an_exception_brings_a_file_back_from_an_ignored_folder(tmp_path: Path) -> None:
    """`!folder/file` after `folder` works, as in Docker."""
    names = project_with(tmp_path, "data\n!data/keep/me.txt\n", "data/drop.txt", "data/keep/me.txt")
    assert "data/keep/me.txt" in names
    assert "data/drop.txt" not in names


def test_empty_folders_go_in_but_what_is_left_of_a_removed_package_does_not(tmp_path: Path) -> None:
    """Code finds the folder it writes into, as with Docker; folders of bytecode alone make no package."""
    for name in ("empty/below", "ignored", "gone/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    project_with(tmp_path, "outputs/*\nignored\n", "outputs/1.png", "stale/x.pyc")
    folders = [one.name for one in source_files(load_project(tmp_path)) if one.is_folder]
    assert folders == ["empty/below", "outputs"]


def test_links_inside_stay_links_and_links_outside_are_followed(tmp_path: Path) -> None:
    """A link to weights elsewhere on the disk brings the weights; a circle ends."""
    outside, folder = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    folder.mkdir()
    (outside / "model.bin").write_text("w")
    (outside / "again").symlink_to(outside)
    (folder / "weights").symlink_to(outside)
    (folder / "alias.py").symlink_to("p.py")
    (folder / "broken").symlink_to("/nothing/here")
    project_with(folder, "")
    found = {one.name: one for one in source_files(load_project(folder))}
    assert found["weights/model.bin"].link is None
    assert found["alias.py"].link == "p.py"
    assert sorted(found) == [".dockerignore", "alias.py", "cog.yaml", "p.py", "weights/model.bin"]


@pytest.mark.parametrize(
    ("name", "size", "weights"),
    [
        ("weights/model.bin", 10, True),
        ("weights/notes.md", 10, False),
        ("model.safetensors", 2 << 20, True),
        ("model.safetensors", 1000, False),
        ("data", 11 << 20, True),
        ("film.mp4", 11 << 20, False),
        ("big.py", 11 << 20, False),
    ],
)
def test_weights_are_big_or_in_their_folder(name: str, size: int, weights: bool) -> None:
    """Weights get layers of their own, so a code edit does not send them again."""
    assert is_weights(name, size) is weights


_NAMES = st.lists(st.sampled_from(["a", "b", "ab", "c d", ".x"]), min_size=1, max_size=3).map("/".join)


@given(st.lists(st.tuples(st.booleans(), _NAMES), max_size=5), _NAMES)
def test_names_alone_mean_what_they_mean_beside_patterns(rules: list[tuple[bool, str]], name: str) -> None:
    """Rules that only name files are read without a library; a pattern that matches nothing brings it in."""
    text = "".join(f"{'!' if negated else ''}{rule}\n" for negated, rule in rules)
    beside = compile_rules(f"[n]othing-of-this-name\n{text}")
    assert compile_rules(text).match_file(name) == beside.match_file(name)


@pytest.mark.parametrize(
    ("ignored", "refused"), [("", True), ("closed\n", False), ("closed\n!closed/keep\n", True)]
)
def test_a_folder_that_may_not_be_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: str, refused: bool
) -> None:
    """A database's folder beside the model stops nothing once .dockerignore names it; else it is said what to do."""
    (tmp_path / "cog.yaml").write_text('build: {python_version: "3.13"}\npredict: p.py:P\n')
    (tmp_path / "p.py").write_text("class P: ...\n")
    (tmp_path / "closed").mkdir()
    (tmp_path / ".dockerignore").write_text(ignored)
    # Tests may run as root, who may look into everything.
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "closed")
    project = load_project(tmp_path)
    if not refused:
        assert {file.name for file in source_files(project)} == {".dockerignore", "cog.yaml", "p.py"}
        return
    with pytest.raises(ProjectError, match="closed: the folder cannot be read") as caught:
        list(source_files(project))
    assert caught.value.hint == "Make it readable, or name it in .dockerignore."


@pytest.mark.parametrize("target", [".dockerignore", "gone"])
def test_rules_that_cannot_be_read_are_told(tmp_path: Path, target: str) -> None:
    """Nothing is packed as if there were no rules: a password might stand in what they leave out."""
    project_with(tmp_path, "")
    (tmp_path / ".dockerignore").unlink()
    (tmp_path / ".dockerignore").symlink_to(target)
    with pytest.raises(ProjectError, match=r"\.dockerignore: is no file, nor a link to one"):
        list(source_files(load_project(tmp_path)))


def test_links_in_a_circle_stay_links(tmp_path: Path) -> None:
    """They lead nowhere, here as in the image, and end no build."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    project_with(tmp_path, "")
    links = {one.name: one.link for one in source_files(load_project(tmp_path)) if one.link is not None}
    assert links == {"a": "b", "b": "a"}


def test_names_are_those_of_utf_8_in_any_locale(tmp_path: Path) -> None:
    """Where the locale knows ASCII alone, the same folder makes the same image, and .dockerignore means the same."""
    project_with(tmp_path, "été.bin\n", "été.bin", "modèle.bin")
    (tmp_path / "lien").symlink_to("modèle.bin")
    told = (
        "from pathlib import Path; from cogyard.project import load_project; "
        "from cogyard.project.ignore import source_files; "
        "[print(ascii((each.name, each.link))) for each in source_files(load_project(Path()))]"
    )
    locale = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    found = subprocess.run(
        [sys.executable, "-c", told],
        cwd=tmp_path,
        env={**os.environ, **locale},
        capture_output=True,
        check=True,
    )
    names = [ast.literal_eval(line) for line in found.stdout.decode().splitlines()]
    assert ("lien", "modèle.bin") in names
    assert ("modèle.bin", None) in names
    assert len(names) == 5


def test_a_secret_that_would_be_packed_is_found(tmp_path: Path) -> None:
    """By whichever name it is given; one that .dockerignore leaves out, or that is elsewhere, is not."""
    project = tmp_path / "model"
    project.mkdir()
    for name in ("predict.py", "token", "kept-out"):
        (project / name).write_text("def predict() -> int: ...\n")
    (project / "cog.yaml").write_text('build: {python_version: "3.12"}\npredict: "predict.py:predict"\n')
    (project / ".dockerignore").write_text("kept-out\n")
    (tmp_path / "elsewhere").touch()
    (tmp_path / "link").symlink_to(project / "token")
    loaded = load_project(project)
    assert packed_among(loaded, [tmp_path / "elsewhere", project / "kept-out"]) == []
    assert packed_among(loaded, [tmp_path / "link"]) == ["token"]
