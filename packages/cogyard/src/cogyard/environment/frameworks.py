"""Which CUDA releases of frameworks were built for: a shipped table, for where no index says it.

Most wheels name the packages of NVIDIA's that they need, and then the index knows better than this table. It is asked
for two things: releases whose wheels say nothing (`silent`), and any release while no index can be reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cogyard.environment.reasons import canonical


@dataclass(frozen=True, kw_only=True)
class Row:
    """One minor release: its CUDA and cuDNN; `carried` when its wheels or what they require bring them."""

    package: str
    release: str
    cuda: str
    cudnn: str
    silent: bool = False
    carried: bool = True


def _row(package: str, release: str, cuda: str, cudnn: str) -> Row:
    return Row(package=package, release=release, cuda=cuda, cudnn=cudnn)


def _silent(package: str, release: str, cuda: str, cudnn: str) -> Row:
    # TensorFlow's wheels load the machine's libraries; PyTorch's old ones have theirs inside
    carried = package == "torch"
    return Row(package=package, release=release, cuda=cuda, cudnn=cudnn, silent=True, carried=carried)


#: The rows of `_row` are printed by `scripts/frameworks.py`; those of `_silent` come from the projects' own tables of
#: tested builds.
TABLE = (
    _silent("torch", "1.11", "10.2", "7.6"),
    _silent("torch", "1.12", "10.2", "7.6"),
    _row("torch", "1.13", "11.7", "8.5"),
    _row("torch", "2.0", "11.7", "8.5"),
    _row("torch", "2.1", "12.1", "8.9"),
    _row("torch", "2.2", "12.1", "8.9"),
    _row("torch", "2.3", "12.1", "8.9"),
    _row("torch", "2.4", "12.1", "9.1"),
    _row("torch", "2.5", "12.4", "9.1"),
    _row("torch", "2.6", "12.4", "9.1"),
    _row("torch", "2.7", "12.6", "9.5"),
    _row("torch", "2.8", "12.8", "9.10"),
    _row("torch", "2.9", "12.8", "9.10"),
    _row("torch", "2.10", "12.8", "9.10"),
    _row("torch", "2.11", "13.0", "9.19"),
    _row("torch", "2.12", "13.0", "9.20"),
    _row("torch", "2.13", "13.0", "9.20"),
    _row("torch", "2.14", "13.0", "9.24"),
    _row("torch", "2.15", "13.2", "9.26"),
    _silent("tensorflow", "2.8", "11.2", "8.1"),
    _silent("tensorflow", "2.9", "11.2", "8.1"),
    _silent("tensorflow", "2.10", "11.2", "8.1"),
    _silent("tensorflow", "2.11", "11.2", "8.1"),
    _silent("tensorflow", "2.12", "11.8", "8.6"),
    _silent("tensorflow", "2.13", "11.8", "8.6"),
    _silent("tensorflow", "2.14", "11.8", "8.7"),
    _silent("tensorflow", "2.15", "12.2", "8.9"),
    _silent("tensorflow", "2.16", "12.3", "8.9"),
    _silent("tensorflow", "2.17", "12.3", "8.9"),
    _silent("tensorflow", "2.18", "12.5", "9.3"),
    _silent("tensorflow", "2.19", "12.5", "9.3"),
    _silent("tensorflow", "2.20", "12.5", "9.3"),
)


def built_for(package: str, version: str) -> Row | None:
    """Return the row of a release; None for one that is not in the table, or that is built for CPUs."""
    release = ".".join(version.split("+", maxsplit=1)[0].split(".")[:2])
    if "+cpu" in version:
        return None
    return next((row for row in TABLE if (row.package, row.release) == (package, release)), None)


def pinned(lines: Iterable[str]) -> tuple[Row, str] | None:
    """Return the row of the framework that requirement lines pin, and the version they pin it to."""
    for line in lines:
        found = re.match(r"\s*(?P<name>[\w.-]+)\s*(?:\[[^\]]*\])?\s*==\s*(?P<version>[\w.+!]+)", line)
        if found is not None and (row := built_for(canonical(found["name"]), found["version"])) is not None:
            return row, found["version"]
    return None
