"""The examples of a project: `cog-test.yaml` beside cog.yaml, each an input and what is expected of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cogyard.project.document import compose, shorten
from cogyard.project.errors import Problem, ProjectError, ProjectMissingError
from cogyard.project.reader import Reader

EXAMPLES_NAME = "cog-test.yaml"

#: What an example may say, with what it means; the how-to page has a row for each.
KEYS: Mapping[str, str] = {
    "name": "what it is called in the report; its place in the file unless given",
    "input": "the inputs by name; a text that begins with @ names a file of the project",
    "output": "the whole output, exactly; `@file` is a file's content",
    "tolerance": "by how much numbers of `output` may differ",
    "match": "a regular expression that is found in the output's text",
    "contains": "a text, or several, that the output's text has in it",
    "file": "the media type of the output file, such as image/png or image/*",
    "count": "how many values the output has",
    "error": "a regular expression found in the error: the prediction is expected to fail",
    "timeout": "seconds the prediction may take",
    "skip": "why it is not run now",
}

#: Seconds an example may take unless it says otherwise: a test that never ends is worse than one that fails.
TIMEOUT = 600.0


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example. `expects_output` tells an `output: null` from none; `line` is where it stands."""

    name: str
    line: int
    input: Mapping[str, Any] = field(default_factory=dict)
    expects_output: bool = False
    output: Any = None
    tolerance: float = 0.0
    match: str | None = None
    contains: tuple[str, ...] = ()
    file: str | None = None
    count: int | None = None
    error: str | None = None
    timeout: float = TIMEOUT
    skip: str | None = None


def read_examples(root: Path, name: str = EXAMPLES_NAME) -> tuple[Example, ...]:
    """Read the examples of the project in `root`; raise ProjectError with every problem there is."""
    try:
        data = (root / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        problem = Problem(file=name, message=f"there is none in {root}")
        raise ProjectMissingError(
            [problem],
            hint="Write one, for example:\n    examples:\n      - input: {text: world}\n        output: hello world",
        ) from error
    except OSError as error:
        raise ProjectError([Problem(file=name, message=f"cannot be read: {error.strerror}")]) from error
    reader = Reader(name)
    top = reader.mapping(compose(data, name), "", ("examples",))
    found: list[Example] = []
    node = top.get("examples")
    if node is None and not reader.problems:
        reader.problem(None, "it has no `examples`", "Begin with the line `examples:`.")
    for item in reader.items(node, "examples") if node is not None else []:
        example = _example(reader, item, len(found) + 1)
        if example.name in {other.name for other in found}:
            reader.problem(item, f"two examples are named `{example.name}`")
        found.append(example)
    if reader.problems:
        raise ProjectError(reader.problems)
    return tuple(found)


def _example(reader: Reader, node: yaml.Node, number: int) -> Example:
    # An `output:` that is null is an expectation, so the pairs are looked at before empty values are left out.
    nodes = reader.mapping(node, f"examples[{number}]", tuple(KEYS))
    written = {str(key.value) for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
    texts = {
        key: reader.text(nodes[key], key)
        for key in ("name", "match", "file", "error", "skip")
        if key in nodes
    }
    for key in ("match", "error"):
        _pattern(reader, nodes.get(key), texts.get(key))
    file = texts.get("file")
    if file is not None and not re.fullmatch(r"[\w.+-]+/([\w.+-]+|\*)", file):
        reader.problem(nodes["file"], f"`{shorten(file)}` is not a media type", "For example: image/png")
    example = Example(
        name=texts.get("name") or f"example {number}",
        line=node.start_mark.line + 1,
        input=_input(reader, nodes.get("input")),
        expects_output="output" in written,
        output=reader.plain(nodes["output"]) if "output" in nodes else None,
        tolerance=_number(reader, nodes.get("tolerance"), "tolerance") or 0.0,
        match=texts.get("match"),
        contains=_contains(reader, nodes.get("contains")),
        file=file,
        count=reader.whole(nodes["count"], "count", least=0) if "count" in nodes else None,
        error=texts.get("error"),
        timeout=_number(reader, nodes.get("timeout"), "timeout") or TIMEOUT,
        skip=texts.get("skip"),
    )
    others = written & {"output", "match", "contains", "file", "count"}
    if example.error is not None and others:
        reader.problem(
            nodes["error"],
            f"an example that expects an error has no output: take out {', '.join(sorted(others))}",
        )
    return example


def _input(reader: Reader, node: yaml.Node | None) -> Mapping[str, Any]:
    if node is None:
        return {}
    return {name: reader.plain(value) for name, value in _pairs(reader, node)}


def _pairs(reader: Reader, node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    reader.mapping(node, "input", None)  # notes what is wrong with it
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [(str(key.value), value) for key, value in pairs if isinstance(key, yaml.ScalarNode)]


def _contains(reader: Reader, node: yaml.Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    if isinstance(node, yaml.SequenceNode):
        return tuple(text for _, text in reader.texts(node, "contains"))
    text = reader.text(node, "contains", numbers=True)
    return () if text is None else (text,)


def _number(reader: Reader, node: yaml.Node | None, name: str) -> float | None:
    if node is None:
        return None
    try:
        value = float(node.value if isinstance(node, yaml.ScalarNode) else "")  # 1e-3 is a text to YAML
    except ValueError:
        value = 0.0
    if 0 < value < 1e9:
        return value
    reader.problem(node, f"`{name}` must be a number above 0")
    return None


def _pattern(reader: Reader, node: yaml.Node | None, text: str | None) -> None:
    if node is None or text is None:
        return
    try:
        re.compile(text)
    except re.error as error:
        reader.problem(node, f"`{shorten(text)}` is not a regular expression: {error}")
