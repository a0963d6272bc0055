"""Whatever stands in cog.yaml, the answer is a project or its problems."""

from __future__ import annotations

import json
from pathlib import Path

from cogyard.project import ProjectError, load_project
from cogyard.project.ignore import compile_rules
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

KEYS = [
    "build",
    "python_version",
    "gpu",
    "run",
    "predict",
    "environment",
    "weights",
    "<<",
    "concurrency",
    "max",
    "x",
]
SCALARS = [
    "3.11",
    '"3.11"',
    "true",
    "null",
    "~",
    "p.py:P",
    "A=1",
    "[",
    "{",
    "*a",
    "&a 1",
    "!!int x",
    "- a",
    "\t",
]
LINES = st.tuples(st.sampled_from(["", "  ", "    "]), st.sampled_from(KEYS), st.sampled_from(SCALARS))
ANY_FOLDER = [HealthCheck.function_scoped_fixture]


def read(folder: Path, data: bytes) -> bool:
    """Read a project with this cog.yaml; say whether it is one."""
    (folder / "cog.yaml").write_bytes(data)
    (folder / "p.py").write_text("class P: ...\n")
    try:
        load_project(folder)
    except ProjectError:
        return False
    return True


@settings(max_examples=100, deadline=None, suppress_health_check=ANY_FOLDER)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_answered(tmp_path: Path, data: bytes) -> None:
    """No bytes make the reader itself fail."""
    read(tmp_path, data)


@settings(max_examples=100, deadline=None, suppress_health_check=ANY_FOLDER)
@given(lines=st.lists(LINES, max_size=8))
def test_anything_that_looks_like_a_project_is_answered(
    tmp_path: Path, lines: list[tuple[str, str, str]]
) -> None:
    """Nor does any mixture of keys and values."""
    read(tmp_path, "".join(f"{indent}{key}: {value}\n" for indent, key, value in lines).encode())


@settings(max_examples=100, deadline=None, suppress_health_check=ANY_FOLDER)
@given(text=st.text(max_size=80))
def test_any_requirements_are_answered(tmp_path: Path, text: str) -> None:
    """Nor any requirements file."""
    (tmp_path / "r.txt").write_text(text, "utf-8", errors="replace")
    read(tmp_path, b'build: {python_version: "3.11", python_requirements: r.txt}\npredict: "p.py:P"\n')


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60), name=st.text(min_size=1, max_size=20))
def test_any_ignore_file_is_answered(text: str, name: str) -> None:
    """Nor any .dockerignore."""
    try:
        compile_rules(text).match_file(name)
    except ProjectError as error:
        event(str(error.problems[0].line))


NAMES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["a\0b", "/\0", "\0", "x" * 300, "x/" * 3000, "..", "../../p.py", "\x7f", "a/../p.py", "."]
    ),
)


@settings(max_examples=100, deadline=None, suppress_health_check=ANY_FOLDER)
@given(file=NAMES, requirements=NAMES)
def test_any_file_names_are_answered(tmp_path: Path, file: str, requirements: str) -> None:
    """Nor any names of files, which YAML can escape as JSON does."""
    predict, named = json.dumps(f"{file}:P"), json.dumps(requirements)
    read(
        tmp_path,
        f'build: {{python_version: "3.11", python_requirements: {named}}}\npredict: {predict}\n'.encode(),
    )


@settings(max_examples=100, deadline=None, suppress_health_check=ANY_FOLDER)
@given(name=NAMES, option=st.sampled_from(["-r ", "-c ", "-f ", "./", "/", "", "--find-links="]))
def test_any_names_in_requirements_are_answered(tmp_path: Path, name: str, option: str) -> None:
    """Nor any names in a requirements file."""
    (tmp_path / "r.txt").write_text(f"{option}{name}\n", "utf-8", errors="replace")
    read(tmp_path, b'build: {python_version: "3.11", python_requirements: r.txt}\npredict: "p.py:P"\n')
