"""Static files, each under an address that changes with their content, so that a browser may keep them for good."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).with_name("static")

FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A third-party script and the hash that browsers hold it to."""

    path: str
    integrity: str


def script(path: str, root: Path = STATIC) -> Script:
    """Describe a vendored script by the file that is there."""
    digest = hashlib.sha384((root / path).read_bytes()).digest()
    return Script(path=path, integrity="sha384-" + base64.b64encode(digest).decode())


class Assets(StaticFiles):
    """Serves the files of a folder at `/static/<release>/…`; `release` is a hash of all of them.

    Modules import each other relatively, so one release's pages and modules never mix with another's.
    """

    def __init__(self, root: Path = STATIC) -> None:
        super().__init__(directory=root)
        self.release = _hash_of(root)

    def url(self, path: str) -> str:
        """Return the address of a file for a page."""
        return f"/static/{self.release}/{path}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file; for good when asked for by this release, else only until it changes."""
        release, _, rest = path.partition("/")
        response = await super().get_response(rest, scope)
        response.headers["Cache-Control"] = FOREVER if release == self.release else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _hash_of(root: Path) -> str:
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
