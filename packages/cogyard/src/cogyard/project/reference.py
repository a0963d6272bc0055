"""The reference page and the JSON Schema of cog.yaml, both written from the table of keys."""

from __future__ import annotations

import json
from typing import Any

from cogyard.project.keys import KEYS, OBSOLETE, RESERVED_PREFIXES, RESERVED_VARIABLES, Key

HEADER = """\
# cog.yaml

Made from `packages/cogyard/src/cogyard/project/keys.py` by `scripts/docs.py`; do not edit. Editors complete and
check the file with `spec/cog-yaml.schema.json`.

A smallest one:

```yaml
build:
  python_version: "3.13"
predict: "predict.py:Predictor"
```

Every problem of the file is reported at once, with its line and column. Keys that are not in the table are problems
too.
"""


def page() -> str:
    """Return docs/reference/cog-yaml.md."""
    parts = [HEADER, "| key | holds | default |", "|---|---|---|"]
    parts += [f"| [`{key.path}`](#{_anchor(key)}) | {key.kind} | {key.default or 'none'} |" for key in KEYS]
    for key in KEYS:
        parts += ["", f"## {key.path}", "", key.summary]
        if key.older:
            parts += ["", f"Older; write `{key.older}` instead."]
        if key.example:
            parts += ["", "```yaml", _example(key), "```"]
    reserved = ", ".join(f"`{name}`" for name in RESERVED_VARIABLES)
    prefixes = ", ".join(f"`{name}*`" for name in RESERVED_PREFIXES)
    parts += ["", "## Variables that cannot be set", "", f"{reserved}, and those that begin with {prefixes}."]
    parts += [
        "",
        "## Keys without effect",
        "",
        "Read with a warning, because earlier releases of Cog wrote them:",
        "",
    ]
    parts += [f"- `{path}`: {advice}" for path, advice in OBSOLETE.items()]
    return "\n".join(parts) + "\n"


def schema_text() -> str:
    """Return spec/cog-yaml.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of cog.yaml, for editors."""
    root = _object("")
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cog.yaml",
        "description": "What a model needs and how it is run.",
        **root,
        "required": ["build"],
        "not": {"required": ["predict", "run"]},
    }


def _object(parent: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for key in KEYS:
        if key.parent != parent:
            continue
        inner = _object(key.path) if any(other.parent == key.path for other in KEYS) else {}
        properties[key.name] = {"description": key.summary, **key.schema, **inner}
        if key.older:
            properties[key.name] |= {"deprecated": True, "deprecationMessage": f"Write {key.older} instead."}
    for path, advice in OBSOLETE.items():
        if path.rpartition(".")[0] == parent:
            name = path.rpartition(".")[2]
            properties[name] = {"description": advice, "deprecated": True, "deprecationMessage": advice}
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    if parent == "build":
        found["required"] = ["python_version"]
        found["not"] = {"required": ["python_packages", "python_requirements"]}
    return found


def _example(key: Key) -> str:
    if key.parent != "build":
        return key.example
    return "build:\n" + "\n".join(f"  {line}" for line in key.example.splitlines())


def _anchor(key: Key) -> str:
    return key.path.replace(".", "")
