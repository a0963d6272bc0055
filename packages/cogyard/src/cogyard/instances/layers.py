"""Unpacked layers on this machine: one folder for each digest, shared by all instances that hold it."""

from __future__ import annotations

import asyncio
import errno
import shutil
import threading
import uuid
from pathlib import Path
from typing import Protocol, runtime_checkable

from cogyard.domain.blobs import BlobStore, LocalFiles
from cogyard.instances.errors import ImageRefusedError, LayerTooLargeError, PrepareFailedError
from cogyard.instances.image import Layer
from cogyard.instances.unpack import AsRoot, UnpackLimits, unpack

#: Unpacking stops short of filling the disk that also holds the database.
_RESERVE = 512 << 20


class Layers(Protocol):
    """Where a runtime gets the files of a layer."""

    async def folder(self, layer: Layer) -> Path:
        """Return the read-only folder that the layer unpacks to."""
        ...


class LayerCache:
    """Layers unpacked under one folder, each whole or not at all."""

    def __init__(
        self,
        root: Path,
        blobs: BlobStore,
        limits: UnpackLimits | None = None,
        *,
        as_root: AsRoot | None = None,
    ) -> None:
        self._root = root
        self._as_root = as_root
        self._blobs = blobs
        self._limits = limits or UnpackLimits()
        self._busy: dict[str, asyncio.Lock] = {}

    async def folder(self, layer: Layer) -> Path:
        """Return the layer's folder, unpacking it at most once.

        Raises ImageRefusedError for a layer that must not be unpacked, PrepareFailedError when we cannot.
        """
        final = self._root / layer.digest.replace(":", "-")
        if final.is_dir():
            return final
        async with self._busy.setdefault(layer.digest, asyncio.Lock()):
            if not final.is_dir():
                await self._make(layer, final)
        self._busy.pop(layer.digest, None)
        return final

    def clear_unfinished(self) -> None:
        """Remove what an earlier process left half unpacked; only while no instance is being prepared."""
        for leftover in self._root.glob("unfinished-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    async def _make(self, layer: Layer, final: Path) -> None:
        work = self._root / f"unfinished-{uuid.uuid4().hex}"
        limits = self._limits
        try:
            await asyncio.to_thread((work / "tree").mkdir, parents=True)
            archive = await self._archive(layer, work)
            limits = self._limits_here()
            await self._unpack(archive, work / "tree", limits)
            await asyncio.to_thread(_publish, work / "tree", final)
        except LayerTooLargeError as error:
            if limits.max_bytes == self._limits.max_bytes:
                raise
            raise PrepareFailedError(
                f"There is too little room on the platform's disk to unpack layer {layer.digest}: "
                f"{_RESERVE >> 20} MiB always stay free.",
                hint="The operator must make room there, or give the platform a larger disk.",
            ) from error
        except OSError as error:
            raise PrepareFailedError(
                f"Layer {layer.digest} could not be unpacked in {self._root}: {error.strerror}.",
                hint="Is the disk full?" if error.errno in {errno.ENOSPC, errno.EDQUOT} else None,
            ) from error
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _unpack(self, archive: Path, tree: Path, limits: UnpackLimits) -> None:
        # A thread cannot be cancelled: one that nobody stopped would go on to fill the disk, and hold up the end.
        stop = threading.Event()
        thread = asyncio.ensure_future(
            asyncio.to_thread(unpack, archive, tree, limits, self._as_root, stop.is_set)
        )
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([thread])
            # Retrieved, or the loop would complain of it.
            thread.exception()
            raise

    async def _archive(self, layer: Layer, work: Path) -> Path:
        return await blob_file(self._blobs, layer.digest, work)

    def _limits_here(self) -> UnpackLimits:
        free = shutil.disk_usage(self._root).free - _RESERVE
        return UnpackLimits(
            max_bytes=max(0, min(self._limits.max_bytes, free)), max_entries=self._limits.max_entries
        )


async def blob_file(blobs: BlobStore, digest: str, folder: Path) -> Path:
    """Return a blob as a file: the store's own, or a copy in `folder`. Raises ImageRefusedError."""
    local = blobs.path(digest) if isinstance(blobs, _WithFiles) else None
    if local is not None:
        return local
    copy = folder / digest.replace(":", "-")
    try:
        with await asyncio.to_thread(copy.open, "wb") as file:
            async for chunk in blobs.read(digest):
                file.write(chunk)
    except KeyError as error:
        raise ImageRefusedError(
            f"Layer {digest} is not in the registry's storage.", hint="Push the image again."
        ) from error
    return copy


@runtime_checkable
class _WithFiles(LocalFiles, Protocol):
    """LocalFiles that can be asked for at run time."""


def _publish(tree: Path, final: Path) -> None:
    try:
        tree.rename(final)
    except OSError:
        if not final.is_dir():  # Another process of ours may have been first: then its folder is as good.
            raise
