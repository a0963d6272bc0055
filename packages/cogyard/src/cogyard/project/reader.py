"""Typed reading of YAML nodes: every mismatch is noted with its place, and reading goes on."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from cogyard.project.document import shorten
from cogyard.project.errors import Problem
from cogyard.project.suggest import did_you_mean

_MERGE = "tag:yaml.org,2002:merge"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_NULL = "tag:yaml.org,2002:null"
_STR = "tag:yaml.org,2002:str"
_FLOAT = "tag:yaml.org,2002:float"


class Reader:
    """Read nodes of one file; `problems` and `warnings` collect what is wrong in the order it was met."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def problem(self, node: yaml.Node | None, message: str, hint: str | None = None) -> None:
        """Note something that must be mended."""
        self.problems.append(self._at(node, message, hint))

    def warning(self, node: yaml.Node | None, message: str, hint: str | None = None) -> None:
        """Note something to know."""
        self.warnings.append(self._at(node, message, hint))

    def mapping(
        self, node: yaml.Node, where: str, allowed: Iterable[str] | None, obsolete: Iterable[str] = ()
    ) -> dict[str, yaml.Node]:
        """Return the mapping's values by key; unknown and doubled keys are problems, empty values are left out."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"`{where}` must hold keys and values, but holds {describe(node)}")
            return {}
        names = None if allowed is None else tuple(allowed)
        found: dict[str, yaml.Node] = {}
        for key_node, value in self._pairs(node):
            name = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            inside = f" in `{where}`" if where else ""
            if not name:
                self.problem(key_node, f"a key{inside} must be a plain word, not {describe(key_node)}")
            elif name in found:
                self.problem(key_node, f"`{name}` is written twice{inside}", "Keep one of them.")
            elif names is not None and name not in names and name not in obsolete:
                self.problem(key_node, f"unknown key `{name}`{inside}", _known(name, names))
            else:
                found[name] = value
        return {name: value for name, value in found.items() if not is_null(value)}

    def text(self, node: yaml.Node, where: str, *, numbers: bool = False) -> str | None:
        """Return a text; with `numbers`, an unquoted number too, exactly as it is written (3.10 stays 3.10)."""
        tags = {_STR, _INT, _FLOAT} if numbers else {_STR}
        if isinstance(node, yaml.ScalarNode) and node.tag in tags:
            if node.value:
                return str(node.value)
            self.problem(node, f"`{where}` is empty")
            return None
        hint = None
        if isinstance(node, yaml.ScalarNode):
            hint = f'Write it in quotes: "{shorten(str(node.value))}"'
        elif isinstance(node, yaml.MappingNode):
            hint = "Text with “: ” in it must stand in quotes."
        self.problem(node, f"`{where}` must be a text, but is {describe(node)}", hint)
        return None

    def flag(self, node: yaml.Node, where: str) -> bool | None:
        """Return true or false."""
        if isinstance(node, yaml.ScalarNode) and node.tag == _BOOL:
            return str(node.value).lower() in {"true", "yes", "on"}
        self.problem(node, f"`{where}` must be true or false, but is {describe(node)}")
        return None

    def whole(self, node: yaml.Node, where: str, *, least: int) -> int | None:
        """Return a whole number of at least `least`."""
        if (
            isinstance(node, yaml.ScalarNode)
            and node.tag == _INT
            and re.fullmatch(r"[+-]?\d{1,9}", node.value)
        ):
            value = int(node.value)
            if value >= least:
                return value
        self.problem(node, f"`{where}` must be a whole number of at least {least}, but is {describe(node)}")
        return None

    def items(self, node: yaml.Node, where: str) -> list[yaml.Node]:
        """Return a list's nodes."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        hint = "Begin each entry with “- ” on a line of its own."
        self.problem(node, f"`{where}` must be a list, but is {describe(node)}", hint)
        return []

    def choice(self, node: yaml.Node, where: str, allowed: Sequence[str]) -> str | None:
        """Return one of the allowed words."""
        text = self.text(node, where)
        if text is None or text in allowed:
            return text
        hint = did_you_mean(text, allowed)
        self.problem(node, f"`{where}` is `{shorten(text)}`; it must be one of: {', '.join(allowed)}", hint)
        return None

    def texts(self, node: yaml.Node, where: str) -> list[tuple[yaml.Node, str]]:
        """Return a list of texts, each with its node."""
        read = [(item, self.text(item, where)) for item in self.items(node, where)]
        return [(item, value) for item, value in read if value is not None]

    def plain(self, node: yaml.Node) -> Any:
        """Return a node as JSON values, for the keys that are passed on as they are; dates as they are written."""
        loader = yaml.SafeLoader("")
        try:
            return _json(loader.construct_document(node))
        except RecursionError:  # an anchor inside itself makes a value without end
            self.problem(node, "is nested too deeply to read")
        except (yaml.YAMLError, TypeError, ValueError) as error:
            self.problem(node, f"cannot be read: {error}")
        finally:
            loader.dispose()
        return None

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield the pairs, those of `<<: *anchor` after the mapping's own where it does not have them."""
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        names = {str(name.value) for name, _ in own}
        yield from own
        for name, value in node.value:
            if name.tag != _MERGE:
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    self.problem(source, f"`<<` merges mappings, but this is {describe(source)}")
                    continue
                yield from (pair for pair in source.value if str(pair[0].value) not in names)
                names |= {str(pair[0].value) for pair in source.value}

    def _at(self, node: yaml.Node | None, message: str, hint: str | None) -> Problem:
        if node is None:
            return Problem(file=self.file, message=message, hint=hint)
        mark = node.start_mark
        return Problem(file=self.file, line=mark.line + 1, column=mark.column + 1, message=message, hint=hint)


def is_null(node: yaml.Node) -> bool:
    """Say whether nothing stands there (`gpu:` and no value)."""
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def describe(node: yaml.Node) -> str:
    """Name a value for a message: its text when it has one, else its kind."""
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if is_null(node):
        return "empty"
    return f"`{shorten(str(node.value))}`"


def _known(name: str, names: tuple[str, ...]) -> str:
    return did_you_mean(name, names) or f"Keys there are: {', '.join(names)}."


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    if value is None or isinstance(value, str | int | float):
        return value
    # YAML knows dates, sets and bytes too; JSON does not
    return value.isoformat() if isinstance(value, dt.date) else str(value)
