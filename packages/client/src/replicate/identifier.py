"""Names of models and versions as people write them."""

from __future__ import annotations

import re
from typing import NamedTuple

_PATTERN = re.compile(r"^(?P<owner>[^/:\s]+)/(?P<name>[^/:\s]+)(:(?P<version>[^/:\s]+))?$")


class Identifier(NamedTuple):
    """`owner/name` or `owner/name:version`."""

    owner: str
    name: str
    version: str | None = None

    @classmethod
    def parse(cls, ref: str) -> Identifier:
        """Read an identifier; raise ValueError when it is not one."""
        match = _PATTERN.match(ref)
        if match is None:
            raise ValueError(f"{ref!r} names no model: write owner/name or owner/name:version")
        return cls(match["owner"], match["name"], match["version"])

    def __str__(self) -> str:
        """Write it as people do."""
        return f"{self.owner}/{self.name}" + (f":{self.version}" if self.version else "")


#: Its name in the official client.
ModelVersionIdentifier = Identifier
