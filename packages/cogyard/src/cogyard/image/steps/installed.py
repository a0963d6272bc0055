"""What the commands of `run` installed into the model's environment, from the names in the layers they made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from cogyard.environment import cache as kept
from cogyard.image.errors import EngineArchiveError
from cogyard.image.layers import MadeLayer
from cogyard.image.plan import MODEL_ROOT
from cogyard.image.site import Site
from cogyard.image.steps.freeze import canonical

_PLACE = re.escape(MODEL_ROOT) + r"/lib/python3\.\d+/site-packages/"
_RECORD = _PLACE + r"(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info/METADATA\Z"
_REMOVED = _PLACE + r"(?:\.wh\.(?P<whole>[^/]+)|(?P<part>[^/]+)/\.wh\.METADATA)\Z"
_FOLDER = r"(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info\Z"


class Changed(msgspec.Struct, frozen=True):
    """What one layer changed: versions by normalized name; None for what it took away."""

    packages: dict[str, str | None]


def installed_by_steps(layers: Sequence[MadeLayer], site: Site) -> Mapping[str, str | None]:
    """Return what the layers of steps changed in the model's environment: versions by name, None for what is gone.

    Each layer is read once. Raises EngineArchiveError for one that cannot be read.
    """
    found: dict[str, str | None] = {}
    for layer in layers:
        if layer.kind != "run":
            continue
        digest = layer.descriptor.digest
        path = site.cache / "installed" / hashlib.sha256(digest.encode()).hexdigest()[:32]
        try:
            changed = msgspec.json.decode(path.read_bytes(), type=Changed)
        except (OSError, msgspec.MsgspecError):
            changed = Changed(packages=_read(site.store.path(digest), layer.title))
            kept.write(path, msgspec.json.encode(changed))
        found |= changed.packages
    return found


def _read(path: Path, title: str) -> dict[str, str | None]:
    import tarfile

    from cogyard.oci.plain import BROKEN, open_plain  # 20 ms, and most models have no steps

    record, gone = re.compile(_RECORD), re.compile(_REMOVED)
    added: dict[str, str | None] = {}
    removed: set[str] = set()
    try:
        with open_plain(path) as file, tarfile.open(fileobj=file, mode="r|") as layer:
            for member in layer:
                name = member.name.removeprefix("./").lstrip("/")
                if member.isreg() and (match := record.match(name)):
                    added[canonical(match["name"])] = match["version"]
                elif (match := gone.match(name)) and (
                    folder := re.match(_FOLDER, match["whole"] or match["part"])
                ):
                    removed.add(canonical(folder["name"]))
    except BROKEN as error:
        raise EngineArchiveError(f"the layer of {title[:60]!r} cannot be read: {error}") from None
    return dict.fromkeys(sorted(removed - set(added)), None) | added
