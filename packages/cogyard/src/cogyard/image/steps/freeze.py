"""The list of a model's packages as it is after the commands of `run`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping


def with_steps(freeze: str, changed: Mapping[str, str | None]) -> str:
    """Return the lines of `pip freeze` as they are after the steps."""
    if not changed:
        return freeze
    lines = {
        canonical(re.split(r"==| @ ", line, maxsplit=1)[0]): line for line in freeze.splitlines() if line
    }
    for name, version in changed.items():
        if version is None:
            lines.pop(name, None)
        elif lines.get(name, "").partition("==")[2] != version:
            lines[name] = f"{name}=={version}"
    return "\n".join(lines[name] for name in sorted(lines))


def canonical(name: str) -> str:
    """Return a distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()
