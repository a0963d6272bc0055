"""A base from this machine's files: an OCI layout, or a tar that is a layout, a docker archive, or a root folder."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from cogyard.image.bases.base import Base
from cogyard.image.bases.image import base_of
from cogyard.image.errors import BaseError
from cogyard.image.pack import pack
from cogyard.image.site import Site
from cogyard.oci import descriptor as media
from cogyard.oci import digest as digests
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.layout import REF_NAME, ImageStore
from cogyard.oci.manifest import MAX_MANIFEST, Index, Manifest, decode, decode_any
from cogyard.oci.plain import BROKEN, open_plain

_CHUNK = 1 << 20
_OPENERS: Mapping[bytes, Callable[..., AbstractContextManager[Any]]] = {
    b"\xfd7zXZ": lzma.open,
    b"BZh": bz2.open,
}
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What an image's tar must not exceed in members before its documents are found.
_MOST_MEMBERS = 4096
_UNREADABLE: tuple[type[Exception], ...] = (*BROKEN, OSError, UnicodeError)


class _Saved(msgspec.Struct, rename={"config": "Config", "layers": "Layers"}):
    """One image of a docker archive."""

    config: str
    layers: list[str]


def open_path(text: str) -> tuple[Path, str | None] | None:
    """Return the file or folder that a base's name means, and the name inside it; None when it means no file."""
    path = Path(text)
    if path.exists():
        return path, None
    parts = text.split(":")
    for count in range(1, len(parts)):
        if (path := Path(":".join(parts[:count]))).exists():
            return path, ":".join(parts[count:])
    return None


def read_base(path: Path, name: str | None, architecture: str, site: Site, *, python: str) -> Base:
    """Take in a base from a folder or a tar.

    Raises BaseError.
    """
    try:
        if path.is_dir():
            return _layout(path, name, architecture, site, python=python, label=str(path))
        with tempfile.TemporaryDirectory(prefix="cogyard-", dir=site.store.root / "tmp") as folder:
            kind = _unpack(path, Path(folder))
            if kind == "layout":
                return _layout(Path(folder), name, architecture, site, python=python, label=path.name)
            if kind == "saved":
                return _saved(Path(folder), path.name, site, python=python)
            return _rootfs(path, architecture, site, python=python)
    except _UNREADABLE as error:
        raise BaseError(f"the base {path} cannot be read: {error}") from None


def _layout(
    folder: Path, name: str | None, architecture: str, site: Site, *, python: str, label: str
) -> Base:
    if not (folder / "oci-layout").is_file():
        raise BaseError(f"{label} is a folder, but not an OCI layout: it has no file oci-layout")
    index = decode((folder / "index.json").read_bytes(), Index, what=f"the index of {label}")
    entries = index.manifests
    if name is not None:
        entries = [each for each in entries if (each.annotations or {}).get(REF_NAME) == name]
    if not entries or (len(entries) > 1 and name is None):
        names = ", ".join(sorted((each.annotations or {}).get(REF_NAME, "?") for each in index.manifests))
        raise BaseError(
            f"{label} has {len(entries)} images where one is needed",
            hint=f"Say which, as FOLDER:NAME. There are: {names}",
        )
    data = _blob(folder, entries[0].digest)
    document = decode_any(data, entries[0].media_type, what=label)
    if isinstance(document, Index):
        fitting = [
            each
            for each in document.manifests
            if each.platform is not None
            and (each.platform.os, each.platform.architecture) == ("linux", architecture)
        ]
        if not fitting:
            raise BaseError(f"{label} has no image for linux/{architecture}")
        data = _blob(folder, fitting[0].digest)
        document = decode(data, Manifest, what=label)
    assert isinstance(document, Manifest)  # noqa: S101 - decode_any knows two kinds
    for blob in [document.config, *document.layers]:
        _take(site.store, folder, blob, label)
    config = decode(
        site.store.read(document.config.digest), ImageConfig, what=f"the configuration of {label}"
    )
    return base_of(label, document, config, site, python=python, digest=digests.of(data))


def _blob(folder: Path, digest: str) -> bytes:
    path = folder / "blobs" / "sha256" / digests.hex_of(digest)
    if path.stat().st_size > MAX_MANIFEST:
        raise BaseError(f"{digest} has more than {MAX_MANIFEST} bytes")
    data = path.read_bytes()
    if digests.of(data) != digest:
        raise BaseError(f"the blob {digest} is broken")
    return data


def _take(store: ImageStore, folder: Path, blob: Descriptor, label: str) -> None:
    if store.has(blob):
        return
    path = folder / "blobs" / "sha256" / digests.hex_of(blob.digest)
    with path.open("rb") as source, store.writer() as writer:
        digest = hashlib.sha256()
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            writer.file.write(chunk)
        if f"sha256:{digest.hexdigest()}" != blob.digest:
            raise BaseError(f"the blob {blob.digest} of {label} is broken")
        writer.commit(blob.digest)


def _saved(folder: Path, label: str, site: Site, *, python: str) -> Base:
    images = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=list[_Saved])
    if len(images) != 1:
        raise BaseError(f"{label} has {len(images)} images where one is needed")
    data = _member(folder, images[0].config).read_bytes()
    config = decode(data, ImageConfig, what=f"the configuration of {label}")
    layers = [_pack(site.store, _member(folder, each)) for each in images[0].layers]
    return _assembled(label, config, layers, site, python=python)


def _rootfs(path: Path, architecture: str, site: Site, *, python: str) -> Base:
    config = ImageConfig(
        architecture=architecture, os="linux", rootfs=RootFs(), config=RunConfig(env=[_PATH])
    )
    return _assembled(path.name, config, [_pack(site.store, path)], site, python=python)


def _assembled(
    label: str, config: ImageConfig, layers: list[tuple[Descriptor, str]], site: Site, *, python: str
) -> Base:
    config = msgspec.structs.replace(config, rootfs=RootFs(diff_ids=[diff_id for _, diff_id in layers]))
    own = Descriptor(media_type=media.CONFIG, digest=digests.of(b""), size=0)
    manifest = Manifest(schema_version=2, config=own, layers=[descriptor for descriptor, _ in layers])
    return base_of(label, manifest, config, site, python=python)


def _pack(store: ImageStore, path: Path) -> tuple[Descriptor, str]:
    """Keep a tar, compressed or not, as a gzip layer."""
    with _plain(path) as source:
        return pack(store, source)


@contextmanager
def _plain(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        magic = file.read(6)
    opener = next((each for start, each in _OPENERS.items() if magic.startswith(start)), None)
    if opener is None:
        with open_plain(path) as source:
            yield source
        return
    with opener(path, "rb") as source:
        yield cast("IO[bytes]", source)


def _unpack(path: Path, folder: Path) -> str:
    """Unpack a tar that is a layout or a docker archive; say which it is, or that it is a root folder."""
    names = []
    with _plain(path) as source, tarfile.open(fileobj=source, mode="r:") as archive:
        for member in archive:
            names.append(member.name.removeprefix("./"))
            if len(names) > _MOST_MEMBERS:
                return "rootfs"
        if "oci-layout" not in names and "manifest.json" not in names:
            return "rootfs"
        archive.extractall(folder, filter="data")
    return "layout" if "oci-layout" in names else "saved"


def _member(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise BaseError(f"the archive names {name[:100]!r}, which it does not hold")
    return path
