"""cog-test.yaml: what it may say, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.project import ProjectError, ProjectMissingError
from cogyard.project.examples import EXAMPLES_NAME, KEYS, Example, read_examples

DOCS = Path(__file__).parents[3] / "docs" / "how-to" / "test-a-model.md"


def read(folder: Path, text: str) -> tuple[Example, ...]:
    """Write the file and read it."""
    (folder / EXAMPLES_NAME).write_text(text)
    return read_examples(folder)


def test_an_example_holds_what_was_written(tmp_path: Path) -> None:
    """Inputs and outputs are JSON values; a name is made where none is given."""
    found = read(
        tmp_path,
        "examples:\n"
        "  - input: {text: world, when: 2026-01-02, n: 3000000000}\n"
        "    output: null\n"
        "  - name: two\n"
        "    contains: [a, b]\n"
        "    match: ^x\n"
        "    file: image/*\n"
        "    count: 0\n"
        "    tolerance: 1e-3\n"
        "    timeout: 2\n"
        "    skip: not now\n"
        "  - error: boom\n",
    )
    first, second, third = found
    assert first.input == {"text": "world", "when": "2026-01-02", "n": 3_000_000_000}
    assert (first.name, first.line, first.expects_output, first.output) == ("example 1", 2, True, None)
    assert (second.contains, second.match, second.file, second.count) == (("a", "b"), "^x", "image/*", 0)
    assert (second.timeout, second.skip, second.expects_output) == (2.0, "not now", False)
    assert third.error == "boom"


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    """All at once, as with cog.yaml."""
    text = (
        "examples:\n  - inptu: {}\n    match: '('\n    timeout: -1\n    file: png\n"
        "  - {name: a, error: x, output: 1}\n  - name: a\n  - 3\n"
    )
    with pytest.raises(ProjectError) as caught:
        read(tmp_path, text)
    said = [(problem.line, problem.message) for problem in caught.value.problems]
    assert (2, "unknown key `inptu` in `examples[1]`") in said
    assert any(line == 3 and "not a regular expression" in message for line, message in said)
    assert any(line == 4 and "above 0" in message for line, message in said)
    assert any(line == 5 and "not a media type" in message for line, message in said)
    assert any(line == 6 and "take out output" in message for line, message in said)
    assert any(line == 7 and "two examples are named `a`" in message for line, message in said)
    assert any(line == 8 for line, _ in said)


@pytest.mark.parametrize(
    "text", ["", "[]", "examples: 3", "example: []", "examples:\n\t- x", "examples:", "a: b"]
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    """Anything but a list of examples is a problem with words."""
    with pytest.raises(ProjectError):
        read(tmp_path, text)


def test_no_file_says_how_one_looks(tmp_path: Path) -> None:
    """The hint is an example that can be pasted."""
    with pytest.raises(ProjectMissingError) as caught:
        read_examples(tmp_path)
    assert "examples:\n" in (caught.value.hint or "")
    pasted = "\n".join(line[4:] for line in (caught.value.hint or "").splitlines()[1:])
    assert read(tmp_path, pasted)[0].output == "hello world"


def test_the_page_names_every_key() -> None:
    """The how-to has a row for each, in the same words."""
    page = DOCS.read_text()
    for key, meaning in KEYS.items():
        assert f"| `{key}` | {meaning} |" in page
