"""Every name of the official client 1.0.7, compared with ours by a script that describes both."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compat.official import installed
from tests.live import run

pytestmark = [pytest.mark.network]
CLIENT = "replicate==1.0.7"
SCRIPT = Path(__file__).parent / "official_surface.py"
FEWEST = 1000
"""Less than what was compared at first: a script that finds nothing finds no difference either."""

#: What is not as in the official client, and why.
KNOWN = {
    "client.RetryTransport": "retries are the client's, and not a transport's",
    "prediction.CreatePredictionRequestParams": "headers and timeouts of httpx that no public function takes",
    "stream.EventSource": "reads an httpx answer that no public function gives",
}


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Yield the names of `theirs` that ours lacks, or has otherwise."""
    if ours is None:
        yield path
        return
    if theirs["is"] == "function":
        yield from (f"{path} {what}" for what in _calls(theirs, ours))
    if (
        theirs["is"] == "property"
        and theirs["settable"]
        and not (ours.get("settable") or ours["is"] == "field")
    ):
        yield f"{path} cannot be set"
    for base in theirs.get("bases", ()):
        if base not in ours.get("bases", ()):
            yield f"{path} is no {base}"
    for field in theirs.get("fields", ()):
        if field not in ours.get("fields", ()) and field not in ours.get("members", {}):
            yield f"{path}.{field}"
    if theirs.get("values", {}) != ours.get("values", theirs.get("values", {})):
        yield f"{path} has other values"
    for name, member in theirs.get("members", {}).items():
        found = ours.get("members", {}).get(name)
        if found is None and name in ours.get("fields", ()):
            found = {"is": "field"}
        if name != "__init__" or found:
            yield from differences(member, found, f"{path}.{name}".removeprefix("."))


def _calls(theirs: Any, ours: Any) -> Iterator[str]:
    if theirs["gives"] not in ours.get("gives", ""):
        yield f"gives {ours.get('gives')}, not {theirs['gives']}"
    mine = {parameter["name"]: parameter for parameter in ours.get("parameters", ())}
    kinds = {parameter["kind"] for parameter in mine.values()}
    keys = {key for parameter in mine.values() for key in parameter.get("keys", ())}
    places = [name for name, parameter in mine.items() if "POSITIONAL" in parameter["kind"]]
    takes_any = any(p["kind"] == "VAR_KEYWORD" and "keys" not in p for p in mine.values())
    for place, parameter in enumerate(theirs["parameters"]):
        name, kind = parameter["name"], parameter["kind"]
        if kind == "VAR_POSITIONAL":
            continue
        for key in parameter.get("keys", [name] if kind != "VAR_KEYWORD" else []):
            if key not in mine and key not in keys and not takes_any:
                yield key
        if (
            kind == "POSITIONAL_OR_KEYWORD"
            and "VAR_POSITIONAL" not in kinds
            and places[place : place + 1] != [name]
        ):
            yield f"{name} by place"
        if "default" in parameter and name in mine and not _same(parameter, mine[name]):
            yield name


def _same(theirs: Any, ours: Any) -> bool:
    """Whether leaving a parameter out means the same: no page, none or `...`, is the first."""
    unsaid = {"None", "Ellipsis"}
    mine = ours.get("default")
    return mine == theirs["default"] or {mine, theirs["default"]} <= unsaid


def count(surface: Any) -> int:
    """Return how many names, parameters and fields a description has."""
    own = len(surface.get("fields", ())) + len(surface.get("parameters", ()))
    own += sum(len(parameter.get("keys", ())) for parameter in surface.get("parameters", ()))
    return 1 + own + sum(count(member) for member in surface.get("members", {}).values())


def _described(python: Path | str, home: Path) -> Any:
    done = run(str(python), "-W", "ignore", SCRIPT, cwd=home, env={"REPLICATE_BASE_URL": "http://x"})
    found = json.loads(done.stdout)
    return {
        "is": "module",
        "members": {name: {"is": "module", "members": has} for name, has in found.items()},
    }


def test_every_name_of_the_official_client_is_there(tmp_path: Path) -> None:
    """Modules, classes, methods, parameters with places and defaults, fields, exceptions' bases, what a call gives."""
    theirs = _described(installed(tmp_path, CLIENT), tmp_path)
    ours = _described(sys.executable, tmp_path)
    assert count(theirs) > FEWEST
    assert set(differences(theirs, ours)) == set(KNOWN)
