"""Managed weights: names, targets that do not overlap, sources as they are written."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import yaml

from cogyard.project.document import shorten
from cogyard.project.keys import WEIGHTS_NAME_PATTERN
from cogyard.project.reader import Reader
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
    if missing:
        if isinstance(node, yaml.MappingNode):
            reader.problem(node, f"weights need a name and a target; {' and '.join(missing)} is missing")
        return None
    name, target = reader.text(keys["name"], "name"), reader.text(keys["target"], "target")
    if name is None or target is None:
        return None
    if not re.fullmatch(WEIGHTS_NAME_PATTERN, name):
        message = f"`{shorten(name)}` is not a name: lower-case letters and digits, with - . _ between"
        reader.problem(keys["name"], message)
        return None
    if not target.startswith("/") or ".." in PurePosixPath(target).parts:
        reader.problem(keys["target"], f"the target `{shorten(target)}` must be an absolute path")
        return None
    source = reader.plain(keys["source"]) if "source" in keys else None
    return Weights(name=name, target=target, source=source)


def _overlap(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)
