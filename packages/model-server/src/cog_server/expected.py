"""Weights that come beside the image: wait until whoever delivers them says that they are there.

An image that expects weights says so in `/.cog/weights.json`; each set's own folder has a sign in it, `.cog/ready`,
`.cog/failed` or `.cog/downloading` (Cog's draft of managed weights, 3). We only look; what is in the folder is the
deliverer's to answer for. Standard library only: this runs before the server imports anything slow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cog_server.errors import StartError

EXPECTED = Path("/.cog/weights.json")
MISSING_SECONDS = 60.0
"""How long nobody may have begun to deliver: as long as a machine takes to mount something beside a container."""
_LOOK = 0.2
_MOST = 1 << 20


@dataclass(frozen=True)
class Expected:
    """One set of weights, and where it is to be."""

    name: str
    target: Path

    def state(self) -> str:
        """Return `ready`, `failed`, `downloading` or `missing`."""
        for name in ("ready", "failed", "downloading"):
            if (self.target / ".cog" / name).exists():
                return name
        return "missing"

    def reason(self) -> str:
        """Return why they could not be delivered."""
        try:
            with (self.target / ".cog" / "failed").open(encoding="utf-8", errors="replace") as file:
                return file.read(2000).strip() or "no reason given"
        except OSError:
            return "no reason given"


def expected(file: Path = EXPECTED) -> tuple[Expected, ...]:
    """Return what an image expects; nothing where it does not say. Raises StartError for what cannot be read."""
    import json

    try:
        with file.open("rb") as opened:
            document = json.loads(opened.read(_MOST))
        return tuple(Expected(str(each["name"]), Path(each["target"])) for each in document["weights"])
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise StartError(
            f"{file} does not say which weights are expected: {exc!r}", hint="Build the image again."
        ) from exc


def all_ready(wanted: Sequence[Expected]) -> bool:
    """Say whether all are there."""
    return all(each.state() == "ready" for each in wanted)


async def arrive(
    wanted: Sequence[Expected],
    say: Callable[[str], None],
    *,
    patience: float = MISSING_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> str | None:
    """Wait until all are there, telling once what is waited for; return why they will not come, None when they did."""
    import asyncio

    begun, told = clock(), set[str]()
    while True:
        waiting = [each for each in wanted if each.state() != "ready"]
        if not waiting:
            return None
        for each in waiting:
            state = each.state()
            if state == "failed":
                return f"The weights {each.name} could not be delivered: {each.reason()}"
            if state == "missing" and clock() - begun >= patience:
                return f"The weights {each.name} are not at {each.target}: {_HINT}"
            if each.name not in told:
                told.add(each.name)
                say(f"Waiting for the weights {each.name} at {each.target}: {_STATES[state]}\n")
        await asyncio.sleep(_LOOK)


_HINT = (
    "they come beside the image and nobody has mounted them. `cog predict IMAGE` and a platform do; for `docker run`, "
    "`cog weights pull` prints their folder: -v FOLDER:TARGET:ro."
)
_STATES = {"missing": _HINT, "downloading": "they are being fetched."}
