"""The model's OpenAPI document: where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cog_server.errors import StartError

BUILT = Path(".cog") / "openapi_schema.json"


def load(given: Path | None, project: Path) -> Mapping[str, Any] | None:
    """Return the document made at build time, or None when there is none.

    Raises StartError when the file that was named cannot be used.
    """
    path = given if given is not None else project / BUILT
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        if given is None:
            return None
        raise StartError(f"there is no file {str(path)!r}", hint="Check --schema.") from None
    except OSError as exc:
        raise StartError(f"{str(path)!r} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise StartError(f"{str(path)!r} is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise StartError(f"{str(path)!r} is not an OpenAPI document: it holds no object")
    return document
