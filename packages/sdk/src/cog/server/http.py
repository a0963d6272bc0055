"""`python -m cog.server.http`: the model server, under the name by which Cog's images start theirs.

Manifests and Dockerfiles say so, and `cog exec python -m cog.server.http` was how models were served.
"""

from __future__ import annotations

import os
import sys

#: The server's own Python in an image; elsewhere `cog exec` names the one that it is installed beside.
IN_IMAGES = "/opt/cog/server/bin/python"
#: Options of Cog's server that change nothing here, and whether a value follows.
_UNNEEDED = {"--threads": True, "--x-mode": True, "--mode": True, "-v": False, "--verbose": False}
_SHUTDOWN = "--await-explicit-shutdown"


def translated(arguments: list[str]) -> list[str]:
    """Return the arguments as our server takes them: without those that it has no use for."""
    kept: list[str] = []
    rest = list(arguments)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if option == _SHUTDOWN:
            if not equals and rest and not rest[0].startswith("-"):
                value = rest.pop(0)
            if value.lower() in {"", "1", "true", "yes"}:
                kept.append(option)
        elif option in _UNNEEDED:
            if _UNNEEDED[option] and not equals and rest:
                rest.pop(0)
        else:
            kept.append(option + equals + value)
    return kept


def main(arguments: list[str]) -> int:
    """Become the server; return only when there is none."""
    server = os.environ.get("COG_SERVER_PYTHON") or IN_IMAGES
    own = ["--python", sys.executable, "--project", os.getcwd()]
    try:
        os.execv(server, [server, "-m", "cog_server", *own, *translated(arguments)])  # noqa: S606 - our own server
    except OSError as error:
        sys.stderr.write(
            f"There is no model server here: {server} cannot be run ({error.strerror}).\n"
            "Use `cog serve`, or `cog exec python -m cog.server.http`.\n"
        )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
