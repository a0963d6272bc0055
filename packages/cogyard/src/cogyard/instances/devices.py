"""What an instance is given of a machine's devices: nodes, libraries, links, variables. A value that adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Everything that a model needs to use some devices, as outside and inside a sandbox."""

    #: (outside, inside): device nodes.
    nodes: tuple[tuple[str, str], ...] = ()
    #: (outside, inside): files and folders, read-only.
    shown: tuple[tuple[str, str], ...] = ()
    #: (where it leads, inside): symbolic links.
    links: tuple[tuple[str, str], ...] = ()
    #: Folders inside where the loader finds libraries.
    libraries: tuple[str, ...] = ()
    #: Groups outside whose members may open the nodes.
    groups: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    #: What could not be done here, a line each.
    skipped: tuple[str, ...] = ()

    def __add__(self, other: Self) -> Self:
        """Return both; what both name is there once, and of a variable the second has the word."""
        return type(self)(
            nodes=_union(self.nodes, other.nodes),
            shown=_union(self.shown, other.shown),
            links=_union(self.links, other.links),
            libraries=_union(self.libraries, other.libraries),
            groups=_union(self.groups, other.groups),
            environment={**self.environment, **other.environment},
            skipped=_union(self.skipped, other.skipped),
        )

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return an instance's variables with these; the loader looks into the devices' libraries first."""
        paths = [*self.libraries, given.get("LD_LIBRARY_PATH", "")]
        path = {"LD_LIBRARY_PATH": ":".join(each for each in paths if each)} if self.libraries else {}
        return {**given, **self.environment, **path}


def _union(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*first, *second)))
