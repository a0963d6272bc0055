"""Take the files out of a layer that a stranger made: exactly those that the artifact lists, and nothing else.

Nothing is made under a name of the archive. A member must be a folder, which is passed over, or a file that the
configuration says is in this layer; its bytes go to where their digest says, if it is the one that was said.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from typing import IO, cast

from cogyard.oci.forward import ForwardReader, ForwardTarInfo
from cogyard.oci.plain import BROKEN, plain
from cogyard.weights.artifact import Artifact, WeightFile
from cogyard.weights.errors import ArtifactInvalidError
from cogyard.weights.files import WeightFiles

_CHUNK = 1 << 20
#: What a tar has beside its files: headers, and the zeros at its end. Names are at most 4 kB, with their own headers.
_PER_ENTRY, _END = 12 << 10, 64 << 10
#: Folders of a layer beyond those that its files are in.
_MORE_FOLDERS = 1000


def take_layer(
    stream: IO[bytes],
    digest: str,
    artifact: Artifact,
    files: WeightFiles,
    on_file: Callable[[WeightFile], None] = lambda _file: None,
) -> None:
    """Keep the files of one layer, read from its blob's bytes.

    Raises ArtifactInvalidError, and the store's errors.
    """
    wanted = {each.path: each for each in artifact.files if each.layer == digest}
    depth = sum(each.count("/") for each in wanted)
    most = len(wanted) + depth + _MORE_FOLDERS
    limit = sum(each.size for each in wanted.values()) + most * _PER_ENTRY + _END
    try:
        reader = ForwardReader(
            plain(stream), limit, refuse=ArtifactInvalidError, too_large=_too_large(digest, artifact)
        )
        with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r:", tarinfo=ForwardTarInfo) as archive:
            for count, member in enumerate(archive, start=1):
                if count > most:
                    raise ArtifactInvalidError(
                        f"layer {digest} of {artifact.name} has more than {most} entries"
                    )
                if (found := _wanted(member, wanted, digest)) is not None:
                    files.add(_content(archive, member), expected=found.digest, size=found.size)
                    on_file(found)
                archive.members = []  # type: ignore[attr-defined] # tarfile keeps every member otherwise
    except BROKEN as error:
        raise ArtifactInvalidError(f"layer {digest} of {artifact.name} cannot be read: {error}") from None
    if wanted:
        first = next(iter(wanted))
        raise ArtifactInvalidError(f"layer {digest} of {artifact.name} lacks {first[:100]!r}")


def _wanted(member: tarfile.TarInfo, wanted: dict[str, WeightFile], digest: str) -> WeightFile | None:
    if member.isdir():
        return None
    shown = repr(member.name)[:120]
    if not member.isreg() or member.issparse():
        raise ArtifactInvalidError(f"{shown} in layer {digest} is neither a file nor a folder")
    found = wanted.pop(member.name.removeprefix("./"), None)
    if found is None:
        raise ArtifactInvalidError(f"{shown} is in layer {digest}, and the weights do not list it there")
    if member.size != found.size:
        raise ArtifactInvalidError(f"{shown} has {member.size} bytes, not {found.size} as the weights say")
    return found


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    source = archive.extractfile(member)
    while source is not None and (chunk := source.read(_CHUNK)):
        yield chunk


def _too_large(digest: str, artifact: Artifact) -> Callable[[int], ArtifactInvalidError]:
    return lambda limit: ArtifactInvalidError(
        f"layer {digest} of {artifact.name} unpacks to more than the {limit} bytes that its files can need"
    )
