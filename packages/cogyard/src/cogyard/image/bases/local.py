"""A base from this machine's files: an OCI layout, or a tar that is a layout, a docker archive, or a root folder."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from cogyard.image.bases.base import Base
from cogyard.image.bases.image import base_of
from cogyard.image.contents import ArchiveError
from cogyard.image.errors import BaseError
from cogyard.image.load import images_in
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
        if _holds_images(path):
            return _archive(path, name, architecture, site, python=python)
        return _rootfs(path, architecture, site, python=python)
    except ArchiveError as error:
        raise BaseError(f"the base {path} cannot be read: {error.message}") from None
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


def _archive(path: Path, name: str | None, architecture: str, site: Site, *, python: str) -> Base:
    """Take in the image of a tar that `cog save`, `docker save` or an OCI layout gave."""
    with _plain(path) as source:
        found = images_in(site.store, source, architecture=architecture)
    chosen = [each for each in found if name is None or name in {each.ref, *each.names}]
    if len(chosen) != 1:
        names = ", ".join(sorted(one for each in found for one in (each.names or (each.ref,)))) or "none"
        raise BaseError(
            f"{path.name} has {len(chosen)} images where one is needed",
            hint=f"Say which, as FILE:NAME. There are: {names}",
        )
    image = chosen[0]
    manifest = decode(site.store.read(image.descriptor.digest), Manifest, what=path.name)
    what = f"the configuration of {path.name}"
    config = decode(site.store.read(manifest.config.digest), ImageConfig, what=what)
    if image.of_layout:
        return base_of(path.name, manifest, config, site, python=python, digest=image.descriptor.digest)
    # Docker's archives mostly have plain layers, and a push is to send packed ones.
    layers = [
        _pack(site.store, site.store.path(layer.digest))
        if layer.media_type == media.LAYER
        else (layer, diff_id)
        for layer, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True)
    ]
    return _assembled(path.name, config, layers, site, python=python)


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


def _holds_images(path: Path) -> bool:
    """Say whether a tar is of images, and not a root folder, from the names in it."""
    with _plain(path) as source, tarfile.open(fileobj=source, mode="r:") as archive:
        for count, member in enumerate(archive, start=1):
            if member.name.removeprefix("./") in {"oci-layout", "manifest.json"}:
                return True
            if count > _MOST_MEMBERS:
                return False
    return False
