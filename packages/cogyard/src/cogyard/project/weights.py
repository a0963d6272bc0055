"""Managed weights: names, targets that do not overlap, sources as they are written."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import yaml

from cogyard.project.document import shorten
from cogyard.project.keys import SOURCE_SCHEMES, WEIGHTS_NAME_PATTERN
from cogyard.project.reader import Reader
from cogyard.project.suggest import did_you_mean
from cogyard.project.values import Weights


def read_weights(reader: Reader, node: yaml.Node) -> tuple[Weights, ...]:
    """Return the list; doubled names and targets inside one another are problems."""
    found: list[Weights] = []
    for item in reader.items(node, "weights"):
        one = _one(reader, item)
        if one is None:
            continue
        for other in found:
            if other.name == one.name:
                reader.problem(item, f"two sets of weights are named `{one.name}`")
            elif _overlap(one.target, other.target):
                reader.problem(item, f"the target {one.target} overlaps {other.target} of `{other.name}`")
        found.append(one)
    return tuple(found)


def _one(reader: Reader, node: yaml.Node) -> Weights | None:
    keys = reader.mapping(node, "weights", ("name", "target", "source"))
    missing = [name for name in ("name", "target") if name not in keys]
    if missing and isinstance(node, yaml.MappingNode):
        told = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        reader.problem(node, f"weights need a name and a target; {told}")
    # Each is looked at, whatever is wrong with another: all problems are told at once.
    name = _name(reader, keys["name"]) if "name" in keys else None
    target = _target(reader, keys["target"]) if "target" in keys else None
    source = _source(reader, keys["source"]) if "source" in keys else None
    if name is None or target is None:
        return None
    return Weights(name=name, target=target, source=source)


def _name(reader: Reader, node: yaml.Node) -> str | None:
    name = reader.text(node, "name")
    if name is None or re.fullmatch(WEIGHTS_NAME_PATTERN, name):
        return name
    message = f"`{shorten(name)}` is not a name: lower-case letters and digits, with - . _ between"
    reader.problem(node, message)
    return None


def _target(reader: Reader, node: yaml.Node) -> str | None:
    target = reader.text(node, "target")
    if target is None or (target.startswith("/") and ".." not in PurePosixPath(target).parts):
        return target
    reader.problem(node, f"the target `{shorten(target)}` must be an absolute path")
    return None


def _overlap(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


def _source(reader: Reader, node: yaml.Node) -> Any:
    """Return one source, or a list of them, as it is written."""
    before = len(reader.problems)
    listed = isinstance(node, yaml.SequenceNode)
    for item in node.value if listed else [node]:
        keys = reader.mapping(item, "source", ("uri", "include", "exclude"))
        if "uri" in keys:
            _uri(reader, keys["uri"])
        elif isinstance(item, yaml.MappingNode):
            reader.problem(item, "a source of weights needs a `uri`", "For example: {uri: hf://owner/name}")
        for name in ("include", "exclude"):
            for pattern, text in reader.texts(keys[name], name) if name in keys else []:
                if text.startswith("!") or "\\" in text:
                    message = (
                        f"`{shorten(text)}`: a pattern of `{name}` has / only, and does not begin with `!`"
                    )
                    reader.problem(pattern, message)
    if listed and not node.value:
        reader.problem(node, "`source` is an empty list")
    return reader.plain(node) if len(reader.problems) == before else None


def _uri(reader: Reader, node: yaml.Node) -> None:
    text = reader.text(node, "uri")
    if text is None:
        return
    scheme, separator, _ = text.partition("://")
    if separator and f"{scheme}://" not in SOURCE_SCHEMES:
        known = ", ".join(SOURCE_SCHEMES)
        hint = did_you_mean(scheme, [one.removesuffix("://") for one in SOURCE_SCHEMES])
        reader.problem(node, f"`{shorten(text)}`: weights come from {known} or a path", hint)
