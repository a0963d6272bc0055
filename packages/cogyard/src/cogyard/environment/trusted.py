"""Hashes that stand in requirements: of a package that has some, only files with one of them are locked. Pure.

uv's resolver passes over them, so they are held against what it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cogyard.environment.errors import UnresolvableError
from cogyard.environment.reasons import asked_by

_HASH = re.compile(r"--hash[= ](?P<kind>sha256|sha384|sha512):(?P<value>[0-9A-Fa-f]+)")
_FILES = ("archive", "sdist")


def only_trusted(document: Mapping[str, Any], lines: Iterable[str], asker: str) -> dict[str, Any]:
    """Return a lock's document without the files that the requirements do not name by hash.

    Packages without hashes in `lines` stay as they are. Raises UnresolvableError when no file of one is left.
    """
    trusted = _trusted(lines)
    packages = [
        _filtered(one, trusted[one["name"]], asker) if one.get("name") in trusted else one
        for one in document.get("packages", [])
    ]
    return {**document, "packages": packages}


def _trusted(lines: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in lines:
        hashes = {f"{each['kind']}:{each['value'].lower()}" for each in _HASH.finditer(line)}
        for name in asked_by([line]) if hashes else ():
            found.setdefault(name, set()).update(hashes)
    return found


def _filtered(package: Mapping[str, Any], trusted: set[str], asker: str) -> dict[str, Any]:
    found = dict(package)
    offered: list[str] = []
    for name in _FILES:
        if name in found:
            offered += _hashes(found[name])
            if not trusted & set(_hashes(found[name])):
                del found[name]
    if "wheels" in found:
        offered += [each for wheel in found["wheels"] for each in _hashes(wheel)]
        found["wheels"] = [wheel for wheel in found["wheels"] if trusted & set(_hashes(wheel))]
    if not any(found.get(name) for name in (*_FILES, "wheels")):
        what = f"{package['name']} {package.get('version', '')}".strip()
        raise UnresolvableError(
            f"no file of {what} has a hash that {asker} names for it ({_some(trusted)}); "
            f"the index has {_some(offered) or 'files without a hash'}",
            hint="Was it changed on the index? If you trust what is there, name its hash, or leave --hash out.",
        )
    return found


def _hashes(file: Mapping[str, Any]) -> list[str]:
    return [f"{kind}:{str(value).lower()}" for kind, value in file.get("hashes", {}).items()]


def _some(hashes: Iterable[str]) -> str:
    listed = sorted(hashes)
    more = f" and {len(listed) - 2} more" if len(listed) > 2 else ""
    return ", ".join(listed[:2]) + more
