"""Whether a prediction gave what its example expects. Values in, sentences out."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from cog_server.embedded import Completed
from cog_server.outputs import OutputFile

from cogyard.project.examples import Example

#: Characters of a value in a sentence.
_SHOWN = 300


def disappointments(example: Example, done: Completed, root: Path) -> list[str]:
    """Return what is not as expected, a sentence each; nothing when all is well. `root` is the project's folder."""
    if example.error is not None:
        return _error(example.error, done)
    if done.status != "succeeded":
        return [f"the prediction {done.status}: {done.error or 'no reason given'}"]
    found = []
    if example.expects_output:
        found += _output(example, done.output, root)
    if example.match is not None or example.contains:
        found += _texts(example, text_of(done.output))
    if example.file is not None:
        found += _media_type(example.file, done.output)
    if example.count is not None:
        number = len(done.output) if isinstance(done.output, list | dict) else 1
        if number != example.count:
            found.append(f"expected {example.count} values, got {number}")
    return found


def text_of(output: Any) -> str:
    """Return an output as text: a file's content, joined pieces, anything else as JSON."""
    if isinstance(output, str):
        return output
    if isinstance(output, OutputFile):
        return output.path.read_text("utf-8", errors="replace")
    if isinstance(output, list) and output and all(isinstance(one, str) for one in output):
        return "".join(output)
    return json.dumps(output, ensure_ascii=False, default=_named)


def difference(expected: Any, got: Any, tolerance: float, where: str = "output") -> str | None:
    """Say where two values differ first; None when they are the same. Whole numbers and floats are one kind."""
    if _is_number(expected) and _is_number(got):
        near = math.isclose(expected, got, rel_tol=0, abs_tol=tolerance) if tolerance else expected == got
        return None if near else f"{where}: expected {_shown(expected)}, got {_shown(got)}"
    if isinstance(expected, list) and isinstance(got, list):
        return _in_list(expected, got, tolerance, where)
    if isinstance(expected, dict) and isinstance(got, dict):
        return _in_object(expected, got, tolerance, where)
    same = type(expected) is type(got) and expected == got
    return None if same else f"{where}: expected {_shown(expected)}, got {_shown(got)}"


def _in_list(expected: list[Any], got: list[Any], tolerance: float, where: str) -> str | None:
    if len(expected) != len(got):
        return f"{where}: expected {len(expected)} values, got {len(got)}: {_shown(got)}"
    pairs = enumerate(zip(expected, got, strict=True))
    inner = (difference(one, other, tolerance, f"{where}[{index}]") for index, (one, other) in pairs)
    return next((sentence for sentence in inner if sentence), None)


def _in_object(expected: dict[str, Any], got: dict[str, Any], tolerance: float, where: str) -> str | None:
    for name in expected.keys() - got.keys():
        return f"{where}: `{name}` is missing"
    for name in got.keys() - expected.keys():
        return f"{where}: `{name}` was not expected"
    inner = (difference(one, got[name], tolerance, f"{where}.{name}") for name, one in expected.items())
    return next((sentence for sentence in inner if sentence), None)


def _output(example: Example, output: Any, root: Path) -> list[str]:
    expected = example.output
    if isinstance(expected, str) and expected.startswith("@") and len(expected) > 1:
        return _content(root / expected[1:], expected, output)
    if isinstance(expected, str) and isinstance(output, list):
        output = text_of(output)  # an iterator's pieces are one text to whoever reads them
    sentence = difference(expected, output, example.tolerance)
    return [sentence] if sentence else []


def _content(path: Path, named: str, output: Any) -> list[str]:
    try:
        expected = path.read_bytes()
    except OSError as error:
        return [f"{named} cannot be read: {error.strerror}"]
    got = output.path.read_bytes() if isinstance(output, OutputFile) else text_of(output).encode()
    if got == expected:
        return []
    place = next(
        (number for number, (one, other) in enumerate(zip(expected, got, strict=False)) if one != other),
        min(len(expected), len(got)),
    )
    return [
        f"the output is not {named}: {len(got)} bytes for {len(expected)}, different from byte {place} on"
    ]


def _texts(example: Example, text: str) -> list[str]:
    found = [
        f"expected {_shown(part)} in the output, got {_shown(text)}"
        for part in example.contains
        if part not in text
    ]
    if example.match is not None and not re.search(example.match, text):
        found.append(f"expected a match of {example.match!r}, got {_shown(text)}")
    return found


def _media_type(expected: str, output: Any) -> list[str]:
    files = output if isinstance(output, list) else [output]
    if not files or not all(isinstance(one, OutputFile) for one in files):
        return [f"expected a file of {expected}, got {_shown(output)}"]
    kind = expected.removesuffix("*") if expected.endswith("/*") else f"{expected};"
    wrong = [one.media_type for one in files if not f"{one.media_type};".startswith(kind)]
    empty = [one.name for one in files if one.path.stat().st_size == 0]
    found = [f"expected a file of {expected}, got one of {wrong[0]}"] if wrong else []
    return found + [f"the file {name} is empty" for name in empty]


def _error(expected: str, done: Completed) -> list[str]:
    if done.status == "succeeded":
        return [f"expected an error that matches {expected!r}, but it succeeded with {_shown(done.output)}"]
    if not re.search(expected, done.error or ""):
        return [f"expected an error that matches {expected!r}, got {_shown(done.error)}"]
    return []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=_named)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _named(value: Any) -> str:
    return f"file {value.name} ({value.media_type})" if isinstance(value, OutputFile) else str(value)
