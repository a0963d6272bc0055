"""Why a resolution came out as it did: uv says who wants whom, the wheels' metadata on which condition."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec

from cogyard.environment import uv
from cogyard.environment.answer import Answer
from cogyard.environment.asked import Asked
from cogyard.environment.compiling import compile_in
from cogyard.environment.credentials import Credentials
from cogyard.environment.exported import annotated, indexes
from cogyard.environment.metadata import read_needs
from cogyard.environment.reasons import Origin, Reasons, asked_by, read_annotations
from cogyard.environment.target import Target


def explain(
    asked: Asked,
    target: Target,
    found: Answer,
    *,
    root: Path,
    source: str,
    on_progress: uv.Progress = uv.silent,
) -> Reasons:
    """Return the reasons of a resolved document. Where an index does not tell a condition, only the name is known.

    `root` is the project's folder, `source` the file of it that names packages.
    """
    on_progress("Reading why each package is there")
    packages = found.document["packages"]
    return Reasons(
        origins=_origins(asked, target, found),
        needs=read_needs(packages, Credentials.of(asked, os.environ)),
        versions={str(one["name"]): str(one.get("version", "")) for one in packages},
        asked=asked_by(asked.record(root).get("requirements", ())),
        source=source,
    )


def _origins(asked: Asked, target: Target, found: Answer) -> dict[str, Origin]:
    if asked.pyproject is not None and asked.locked_by_uv:
        known = indexes(asked.pyproject, target)
        found_in = read_annotations(*annotated(asked.pyproject, target))
        return {name: replace(one, index=known.get(name)) for name, one in found_in.items()}
    pins = [
        f"{one['name']}=={one['version']}"
        for one in found.document["packages"]
        if "version" in one and ("wheels" in one or "sdist" in one)
    ]
    pinned = msgspec.structs.replace(asked, constraints=(*asked.constraints, *pins))
    roots = (asked.pyproject.name,) if asked.pyproject else ()
    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
        arguments = ["--emit-index-annotation"]
        # what was just resolved is in uv's cache, and asking again costs a request for each package
        outcome = compile_in(Path(folder), pinned, target, [*arguments, "--offline"], build=found.build)
        if outcome.status != 0:
            outcome = compile_in(Path(folder), pinned, target, arguments, build=found.build)
    return read_annotations(outcome.output, roots) if outcome.status == 0 else {}
