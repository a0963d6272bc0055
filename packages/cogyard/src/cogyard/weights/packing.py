"""How files become layers: small ones together and compressed, each large one alone and as it is. The plan is pure.

The same files give the same layers: sorted by path, with nothing else in a tar's headers (draft, 1.4).
A large file's layer is never written to disk: it is a header, the file itself and some zeros, and is read so.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cogyard.oci.descriptor import LAYER, LAYER_GZIP
from cogyard.oci.joined import FilePart, Joined
from cogyard.oci.layer import BLOCK, LayerWriter
from cogyard.oci.layout import ImageStore
from cogyard.weights.artifact import WeightLayer

#: A file from this size on is a layer of its own. This and the next are the sizes that Cog takes.
ALONE = 64 << 20
#: The most that small files together in one layer have.
BUNDLE = 256 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One file to pack: its path below the target, its size and its digest."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedLayer:
    """The files of one layer, and the layer they make."""

    members: tuple[Member, ...]
    layer: WeightLayer


def plan(members: Iterable[Member], *, alone: int = ALONE, bundle: int = BUNDLE) -> list[tuple[Member, ...]]:
    """Say which files share a layer: bundles first, then each large file."""
    ordered = sorted(members, key=lambda each: each.path.encode())
    bundles: list[tuple[Member, ...]] = []
    current: list[Member] = []
    for each in (one for one in ordered if one.size < alone):
        if current and sum(one.size for one in current) + each.size > bundle:
            bundles.append(tuple(current))
            current = []
        current.append(each)
    if current:
        bundles.append(tuple(current))
    return bundles + [(each,) for each in ordered if each.size >= alone]


def pack(
    members: tuple[Member, ...], path: Callable[[str], Path], store: ImageStore, *, alone: int = ALONE
) -> PackedLayer:
    """Make one planned layer; `path` says where the file of a digest is. A bundle goes into the store, whole.

    Raises OSError, and the store's errors.
    """
    plain_size = sum(each.size for each in members)
    if members[0].size < alone:
        with store.writer() as blob:
            writer = LayerWriter(blob.file)
            for folder in folders(each.path for each in members):
                writer.directory(folder)
            for each in members:
                writer.file(each.path, path(each.digest).read_bytes())
            summary = writer.finish()
            blob.commit(summary.digest)
        digest, size, kind = summary.digest, summary.size, LAYER_GZIP
    else:
        body, made = body_of(members[0], path(members[0].digest)), hashlib.sha256()
        for chunk in body.chunks():
            made.update(chunk)
        digest, size, kind = f"sha256:{made.hexdigest()}", body.size, LAYER
    layer = WeightLayer(digest=digest, media_type=kind, size=size, plain_size=plain_size)
    return PackedLayer(members=members, layer=layer)


def body_of(member: Member, path: Path) -> Joined:
    """Return the layer of one large file, as it is read from the file itself."""
    head = b"".join(_header(f"{folder}/", tarfile.DIRTYPE, 0, 0o755) for folder in folders([member.path]))
    head += _header(member.path, tarfile.REGTYPE, member.size, 0o644)
    tail = bytes(-member.size % BLOCK + 2 * BLOCK)
    return Joined((head, FilePart(path, member.size), tail))


def folders(paths: Iterable[str]) -> Sequence[str]:
    """Return every folder above the paths, sorted."""
    found = {
        "/".join(parts[:count])
        for parts in (path.split("/")[:-1] for path in paths)
        for count in range(1, len(parts) + 1)
    }
    return sorted(found, key=str.encode)


def by_layer(packed: Iterable[PackedLayer]) -> Mapping[str, PackedLayer]:
    """Return layers by their digest; two of the same bytes are one."""
    return {each.layer.digest: each for each in packed}


def _header(path: str, kind: bytes, size: int, mode: int) -> bytes:
    info = tarfile.TarInfo(path)
    info.type, info.size, info.mode = kind, size, mode
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8")
