"""Layers on this machine's disk, which has an end."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cogyard.instances import layers as layers_module
from cogyard.instances.errors import LayerTooLargeError, PrepareFailedError
from cogyard.instances.image import read_image
from cogyard.instances.layers import LayerCache
from cogyard.instances.unpack import UnpackLimits, UnpackStoppedError
from cogyard.testing.blobs import MemoryBlobs
from cogyard.testing.images import make_image

pytestmark = pytest.mark.anyio

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's own


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    """Make a folder for unpacked layers."""
    folder = tmp_path / "layers"
    folder.mkdir()
    return folder


def _left(layers: Path) -> list[Path]:
    return list(layers.iterdir())


async def _unpack(folder: Path, limits: UnpackLimits | None = None) -> Path:
    made, blobs = make_image(), MemoryBlobs()
    await made.put(blobs)
    image = read_image(made.version, made.manifest, json.loads(made.config))
    return await LayerCache(folder, blobs, limits).folder(image.of_kind("source")[0])


async def test_a_full_disk_is_not_the_images_fault(layers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is said as such, may be tried again, and leaves nothing half unpacked."""

    def nearly_full(_path: Any) -> Usage:
        return Usage(1 << 30, 1 << 30, 1000)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(PrepareFailedError, match="too little room"):
        await _unpack(layers)
    assert not _left(layers)


async def test_a_layer_beyond_the_limit_is_the_images_fault(layers: Path) -> None:
    """However large the disk is."""
    with pytest.raises(LayerTooLargeError, match="more than 10 bytes"):
        await _unpack(layers, UnpackLimits(max_bytes=10))
    assert not _left(layers)


async def test_who_is_not_wanted_any_more_stops_at_once(
    layers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that went on would fill the disk for nobody, and keep the platform from ending."""
    begun, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def endless(_a: Path, _t: Path, _l: UnpackLimits, _r: object, stopped: Callable[[], bool]) -> int:
        loop.call_soon_threadsafe(begun.set)
        while not stopped():
            pass
        ended.set()
        raise UnpackStoppedError

    # A layer that takes for ever would have to be that large.
    monkeypatch.setattr(layers_module, "unpack", endless)
    task = asyncio.create_task(_unpack(layers))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert not _left(layers)
