"""The `weights` argument of setup(): fine-tuned weights that were given when the model was started."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

from cog.errors import LoadError
from cog.file import URLFile
from cog.path import Path, URLPath
from cog.schema import types as t
from cog.schema.annotations import read_annotation, type_hints

#: Where weights lie when COG_WEIGHTS does not say.
FOLDER = "weights"


def weights_argument(setup: Callable[..., Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments for `setup`: none, or `weights`. Raises LoadError for any other parameter."""
    parameters = inspect.signature(setup).parameters
    named = {name: p for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    others = [name for name, p in named.items() if name != "weights" and p.default is p.empty]
    if others:
        raise LoadError(f"setup() takes {others[0]!r}; it can only take `weights`, or nothing")
    if "weights" not in named:
        return {}
    hint = type_hints(setup).get("weights", Path)
    kind = read_annotation(hint)
    source = environ.get("COG_WEIGHTS") or (FOLDER if os.path.exists(FOLDER) else None)
    if source is None:
        # None also where the type does not say so: models ask `if weights:`, and Cog never refused them.
        return {} if named["weights"].default is not inspect.Parameter.empty else {"weights": None}
    return {"weights": _open(source, t.unwrap(kind))}


def _open(source: str, kind: t.Type) -> Any:
    remote = source.startswith(("http://", "https://", "data:"))
    if isinstance(kind, t.Scalar):
        return source
    if isinstance(kind, t.FileType) and kind.form == "file":
        return URLFile(source) if remote else Path(source).open("rb")
    return URLPath.of(source).convert() if remote else Path(source)
