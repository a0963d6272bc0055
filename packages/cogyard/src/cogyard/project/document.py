"""cog.yaml's text as YAML nodes, which still know their line and column."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from cogyard.project.errors import Problem, ProjectError

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 1 << 20
"""A cog.yaml is a page of text; a megabyte of it is a mistake (a weight file by that name)."""

EMPTY_HINT = 'A smallest one is:  build: {python_version: "3.13"}  and  predict: "predict.py:Predictor"'


def compose(data: bytes, file: str) -> yaml.MappingNode:
    """Return the document's root mapping; raise ProjectError with the place of what is not YAML."""
    import yaml

    text = decode(data, file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ProjectError([_syntax(error, text, file)]) from error
    except yaml.reader.ReaderError as error:
        raise ProjectError([_control_character(text, file, error.position)]) from error
    except RecursionError as error:
        raise ProjectError([Problem(file=file, message="is nested too deeply to read")]) from error
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        raise ProjectError([Problem(file=file, message="is empty", hint=EMPTY_HINT)])
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else f"the text {shorten(str(root.value))!r}"
        message = f"must hold keys such as `build:` and `predict:`, but holds {kind}"
        raise ProjectError([Problem(file=file, line=1, message=message, hint=EMPTY_HINT)])
    return root


def decode(data: bytes, file: str) -> str:
    """Return the text of a file written by any editor: UTF-8 with or without BOM, UTF-16 with one."""
    if len(data) > MAX_BYTES:
        message = f"is {len(data):,} bytes long; a project file has at most {MAX_BYTES:,}"
        raise ProjectError([Problem(file=file, message=message)])
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProjectError(
            [
                Problem(
                    file=file,
                    line=line,
                    message=f"is not UTF-8 text (byte 0x{data[error.start]:02x})",
                    hint="Save it as UTF-8 in your editor.",
                )
            ]
        ) from error


def shorten(text: str, limit: int = 60) -> str:
    """Return `text` on one line, cut to `limit` characters for a message."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(file=file, message=f"is not valid YAML: {error.problem}")
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if re.match(r"\s*\t", line):
        return Problem(
            file=file,
            line=mark.line + 1,
            column=line.index("\t") + 1,
            message="a tab stands in the indentation",
            hint="YAML is indented with spaces only.",
        )
    saying = " ".join(part for part in (error.context, error.problem) if part)
    hint = "A value that holds “: ”, “#”, “@” or a brace must stand in quotes." if line.strip() else None
    return Problem(
        file=file,
        line=mark.line + 1,
        column=mark.column + 1,
        message=f"is not valid YAML: {saying}",
        hint=hint,
    )


def _control_character(text: str, file: str, position: int) -> Problem:
    before = text[:position]
    return Problem(
        file=file,
        line=before.count("\n") + 1,
        column=position - (before.rfind("\n") + 1) + 1,
        message=f"holds the control character U+{ord(text[position]):04X}, which YAML does not allow",
    )
