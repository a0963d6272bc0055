"""What cog.yaml wishes of weights, in the one form that weights.lock keeps. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cogyard.project.values import Weights
from cogyard.weights.errors import SourceError
from cogyard.weights.paths import target_problem

if TYPE_CHECKING:
    import pathspec

FILE, WEB, HUB = "file://", ("https://", "http://"), "hf://"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """One source: its address in the normal form, and which of its files are taken."""

    uri: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        """Whether a file is taken. Patterns are as in .gitignore: without a slash they hold in every folder."""
        if self.exclude and _spec(self.exclude).match_file(path):
            return False
        return not self.include or _spec(self.include).match_file(path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """A set of weights as it is wished."""

    name: str
    target: str
    sources: tuple[Wish, ...]


def wish_of(declared: Weights) -> Wishes:
    """Return what one entry of cog.yaml wishes. Raises SourceError for an address that cannot be one."""
    if (problem := target_problem(declared.target)) is not None:
        raise SourceError(f"the target `{declared.target[:80]}` of the weights `{declared.name}` {problem}")
    listed = declared.source if isinstance(declared.source, list) else [declared.source]
    if declared.source is None:
        raise SourceError(
            f"the weights `{declared.name}` have no source", hint="For example: source: {uri: ./weights}"
        )
    return Wishes(name=declared.name, target=declared.target, sources=tuple(_wish(each) for each in listed))


def normal(uri: str) -> str:
    """Return an address in the form that is kept: relative paths as file://./PATH. Raises SourceError."""
    if uri.startswith((HUB, *WEB)):
        parts = urlsplit(uri)
        if parts.username is not None or parts.password is not None:
            raise SourceError(
                f"{parts.scheme}://{parts.hostname}…: an address of weights must not hold a password",
                hint="It would be written into weights.lock and into every image.",
            )
        if not parts.hostname or not parts.path.strip("/"):
            raise SourceError(f"{uri[:100]!r} names no file")
        return uri
    path = uri.removeprefix(FILE)
    if not path:
        raise SourceError("the source of weights is an empty path")
    cleaned = posixpath.normpath(path)
    if cleaned.startswith("/"):
        return FILE + cleaned
    if cleaned == ".":
        raise SourceError(
            "the source of weights is the project's folder itself", hint="Put them in a folder of it."
        )
    if cleaned.startswith(".."):
        raise SourceError(f"the source {uri[:100]!r} leads out of the project")
    return f"{FILE}./{cleaned}"


def _wish(source: Mapping[str, Any]) -> Wish:
    return Wish(
        uri=normal(str(source["uri"])),
        include=tuple(sorted(map(str, source.get("include") or ()))),
        exclude=tuple(sorted(map(str, source.get("exclude") or ()))),
    )


def _spec(patterns: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    import pathspec  # which every push would import otherwise, also of a project without weights

    return pathspec.GitIgnoreSpec.from_lines(patterns)
