"""Who may read which index: users and passwords by server, from addresses, variables and netrc; never written down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec

from cogyard.environment.asked import Asked

_ADDRESS = re.compile(r"(?:git\+)?(https?://[^\s'\"<>]+)")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_NAMED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)=(?P<url>https?://\S+)$")
_SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


class Credentials(msgspec.Struct, frozen=True):
    """User and password as they stand in an address, by `scheme://host:port`. None of it is in its text."""

    realms: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return "Credentials()"

    @classmethod
    def of(cls, asked: Asked, variables: Mapping[str, str]) -> Credentials:
        """Return those of what is asked for: its own addresses, in which `${NAME}` is a variable, and uv's settings."""
        texts = [*asked.options, *asked.lines, *asked.constraints]
        found = [_expanded(text, variables) for text in texts]
        found += [variables.get(name, "") for name in _SETTINGS]
        realms = dict(_in_texts(found))
        named = (_NAMED.match(one) for name in _SETTINGS for one in variables.get(name, "").split())
        for one in named:
            realms |= dict(_of_named(one["name"], one["url"], variables) if one else ())
        if asked.pyproject is not None:
            realms |= dict(_in_pyproject(asked.pyproject.path, variables))
        return cls(realms)

    def find(self, url: str) -> tuple[str, str] | None:
        """Return user and password for an address: its own, those known for its server, or netrc's."""
        parts = urlsplit(url)
        known = parts.netloc.rpartition("@")[0] or self.realms.get(_realm(parts))
        if known:
            user, _, password = known.partition(":")
            return unquote(user), unquote(password)
        return _netrc(parts.hostname or "")

    def settings(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return uv's variables that tell it; not arguments, which everybody on the machine can read."""
        if not self.realms:
            return {}
        told = {
            f"{realm}/": f"{realm.replace('://', f'://{login}@', 1)}/"
            for realm, login in sorted(self.realms.items())
        }
        found = {"UV_INDEX": " ".join([*variables.get("UV_INDEX", "").split(), *told.values()])}
        # git asks nobody for a password that uv knows: it is told by its own settings, after those there are
        first = int(variables.get("GIT_CONFIG_COUNT") or 0)
        for number, (plain, known) in enumerate(told.items(), start=first):
            found[f"GIT_CONFIG_KEY_{number}"] = f"url.{known}.insteadOf"
            found[f"GIT_CONFIG_VALUE_{number}"] = plain
        return {**found, "GIT_CONFIG_COUNT": str(first + len(told))}


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)


def _in_texts(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        for address in _ADDRESS.findall(text):
            parts = urlsplit(address)
            if "@" in parts.netloc:
                yield _realm(parts), parts.netloc.rpartition("@")[0]


def _in_pyproject(path: Path, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield those of the indexes that pyproject.toml names: in the address, or in `UV_INDEX_NAME_USERNAME`."""
    import tomllib

    document: Mapping[str, Any] = tomllib.loads(path.read_text("utf-8-sig"))
    for index in document.get("tool", {}).get("uv", {}).get("index", []):
        yield from _of_named(str(index.get("name", "")), str(index.get("url", "")), variables)


def _of_named(name: str, url: str, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    parts = urlsplit(url)
    written = re.sub(r"[^A-Z0-9]", "_", name.upper())
    user = variables.get(f"UV_INDEX_{written}_USERNAME")
    password = variables.get(f"UV_INDEX_{written}_PASSWORD")
    if user or password:
        yield _realm(parts), f"{quote(user or '', safe='')}:{quote(password or '', safe='')}"
    elif "@" in parts.netloc:
        yield _realm(parts), parts.netloc.rpartition("@")[0]


def _realm(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def _netrc(host: str) -> tuple[str, str] | None:
    named = os.environ.get("NETRC")
    path = Path(named) if named else Path.home() / ".netrc"
    import netrc  # asked for where something is fetched

    try:
        found = netrc.netrc(str(path)).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None  # a file that cannot be read gives nothing; uv says so where it matters
    return (found[0], found[2]) if found is not None and found[2] is not None else None
