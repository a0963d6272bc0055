"""Weights beside a version's image: there when its model starts, once on disk, and never somebody else's."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from cogyard.instances.environments import UvEnvironments
from cogyard.instances.errors import ImageRefusedError, PrepareFailedError
from cogyard.instances.events import CompletedEvent
from cogyard.instances.image import Image, read_image
from cogyard.instances.layers import LayerCache
from cogyard.instances.process import ProcessOptions, ProcessRuntime
from cogyard.instances.running import RunningProcess
from cogyard.instances.runtime import silent
from cogyard.instances.server import HttpModelServer, Run
from cogyard.instances.weights import NoWeights, WeightsCache
from cogyard.testing.blobs import MemoryBlobs
from cogyard.testing.images import TestImage, TestVersions, make_image
from cogyard.testing.weights import BesideInMemory, declared, keep_weights
from cogyard.testing.whole_images import make_whole_image
from cogyard.weights.artifact import Artifact
from cogyard.weights.files import WeightFiles

from tests.marks import mark_of
from tests.sandboxes import sandbox_runtime, supported

pytestmark = pytest.mark.anyio
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
READ = """
import json, os
from pathlib import Path
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self):
        self.place = Path("weights/net.bin") if Path("weights").exists() else Path("/data/net/net.bin")
        self.words = self.place.read_text()

    def predict(self, write: bool = False) -> str:
        refused = ""
        if write:
            try:
                self.place.write_text("mine")
            except OSError as error:
                refused = type(error).__name__
        found = self.place.stat()
        return json.dumps([self.words, found.st_ino, found.st_dev, refused])
"""
CONTENTS = {"net.bin": b"numbers", "sub/more.bin": b"more"}


def image_of(made: TestImage) -> Image:
    """Read an image."""
    return read_image(made.version, made.manifest, json.loads(made.config))


def cache(folder: Path, blobs: MemoryBlobs, found: dict[str, list[Artifact]]) -> WeightsCache:
    """Make a cache of weights over blobs in memory."""
    return WeightsCache(WeightFiles(folder / "weights"), blobs, BesideInMemory(found))


async def answer(running: RunningProcess, **inputs: Any) -> Any:
    """Run a prediction and return its output."""
    server = HttpModelServer(running.address)
    try:
        async with asyncio.timeout(60):
            while (health := await server.health()) is None or health.status == "STARTING":  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.02)
            events = [event async for event in server.predict(Run(id="p1", input=inputs))]
        end = events[-1]
        assert isinstance(end, CompletedEvent)
        assert end.status == "succeeded", end
        return json.loads(end.output)
    finally:
        await server.aclose()


async def test_a_process_finds_its_weights_in_its_project(tmp_path: Path) -> None:
    """The very files that every instance and every model with the same weights has, not copies of them."""
    blobs = MemoryBlobs()
    artifact = await keep_weights(blobs, CONTENTS)
    images = [make_image(READ + end, python=PYTHON, cog=declared(artifact)) for end in ("", "# another")]
    for each in images:
        await each.put(blobs)
    (tmp_path / "layers").mkdir()
    options = ProcessOptions(
        root=tmp_path / "i", sockets=tmp_path / "s", home=tmp_path / "home", mark=mark_of(tmp_path),
        base="http://127.0.0.1:1", setup_timeout=30,
    )  # fmt: skip
    runtime = ProcessRuntime(
        options,
        TestVersions(*images),
        LayerCache(tmp_path / "layers", blobs),
        UvEnvironments(),
        cache(tmp_path, blobs, {each.version: [artifact] for each in images}),
    )
    found = []
    for number, each in enumerate(images):
        running = await (await runtime.prepare(each.version)).start(f"i{number}")
        try:
            found.append(await answer(running))
        finally:
            await running.stop()
    one, two = found
    assert one == two
    assert one[0] == "numbers"
    file = WeightFiles(tmp_path / "weights").path(artifact.files[0].digest)
    assert one[1] == file.stat().st_ino


async def test_a_process_cannot_have_weights_outside_of_its_project(tmp_path: Path) -> None:
    """It is refused before anything starts, with what to do."""
    blobs = MemoryBlobs()
    artifact = await keep_weights(blobs, CONTENTS, target="/data/net")
    image = make_image(READ, python=PYTHON, cog=declared(artifact))
    await image.put(blobs)
    options = ProcessOptions(
        root=tmp_path / "i",
        sockets=tmp_path / "s",
        home=tmp_path / "home",
        mark=mark_of(tmp_path),
        base="http://127.0.0.1:1",
    )
    runtime = ProcessRuntime(
        options, TestVersions(image), LayerCache(tmp_path, blobs), UvEnvironments(),
        cache(tmp_path, blobs, {image.version: [artifact]}),
    )  # fmt: skip
    with pytest.raises(ImageRefusedError, match="at /data/net, and an ordinary process"):
        await runtime.prepare(image.version)


@pytest.mark.parametrize("target", ["/src/weights", "/data/net"])
@pytest.mark.parametrize("overlay", [True, False])
async def test_a_sandbox_has_its_weights_where_they_belong(
    tmp_path_factory: pytest.TempPathFactory, target: str, overlay: bool
) -> None:
    """Wherever that is; it cannot write to them, and they are not copied."""
    supported()
    folder = tmp_path_factory.mktemp("w")
    blobs = MemoryBlobs()
    artifact = await keep_weights(blobs, CONTENTS, target=target)
    image = make_whole_image(READ, cog=declared(artifact))
    weights = cache(folder, blobs, {image.version: [artifact]})
    runtime = await sandbox_runtime(folder / "s", image, overlay=overlay, weights=weights)
    running = await (await runtime.prepare(image.version)).start("i1")
    try:
        words, inode, _, refused = await answer(running, write=True)
    finally:
        await running.stop()
    file = WeightFiles(folder / "weights").path(artifact.files[0].digest)
    assert (words, inode, refused) == ("numbers", file.stat().st_ino, "OSError")
    assert file.read_bytes() == b"numbers"


async def test_two_models_share_a_set_that_is_unpacked_once(tmp_path: Path) -> None:
    """Also asked for at the same moment, and under another name and target."""
    blobs = MemoryBlobs()
    one = await keep_weights(blobs, CONTENTS)
    two = await keep_weights(blobs, CONTENTS, name="other", target="/src/other")
    first, second = make_image(cog=declared(one)), make_image(cog=declared(two))
    weights = cache(tmp_path, blobs, {first.version: [one], second.version: [two]})
    said: list[str] = []
    placed = await asyncio.gather(
        *(weights.place(image_of(each), said.append) for each in (first, second, first))
    )
    assert len({each[0].folder for each in placed}) == 1
    assert [each[0].target for each in placed] == ["/src/weights", "/src/other", "/src/weights"]
    assert len(said) == 1


async def test_a_version_that_lacks_its_weights_is_refused(tmp_path: Path) -> None:
    """One pushed without its index, one whose index names others, and one where nothing keeps weights."""
    blobs = MemoryBlobs()
    artifact = await keep_weights(blobs, CONTENTS)
    other = await keep_weights(blobs, CONTENTS, name="other")
    moved = await keep_weights(blobs, CONTENTS, target="/src/elsewhere")
    image = image_of(make_image(cog=declared(artifact)))
    for found in ([], [other]):
        with pytest.raises(ImageRefusedError, match="expects the weights base, which did not come with it"):
            await cache(tmp_path, blobs, {image.version: found}).place(image, silent)
    with pytest.raises(ImageRefusedError, match="are for /src/elsewhere"):
        await cache(tmp_path, blobs, {image.version: [moved]}).place(image, silent)
    with pytest.raises(ImageRefusedError, match="none are kept here"):
        await NoWeights().place(image, silent)
    assert await NoWeights().place(image_of(make_image()), silent) == ()


async def test_weights_of_another_cannot_be_replaced_by_a_stranger_s(tmp_path: Path) -> None:
    """An artifact that lies about its files or its set gives nothing, and spoils nothing."""
    blobs = MemoryBlobs()
    honest = await keep_weights(blobs, CONTENTS)
    evil = await keep_weights(blobs, {"net.bin": b"poison!", "sub/more.bin": b"more"})
    image = image_of(make_image(cog=declared(honest)))

    class Lying:
        """Says that the stranger's layers hold the other's files."""

        async def beside(self, version: str) -> list[tuple[bytes, bytes]]:
            del version
            config = json.loads(honest.config())
            for each in config["files"]:
                each["layer"] = evil.layers[0].digest
            text = json.dumps(config).encode()
            manifest = json.loads(evil.manifest())
            from cogyard.oci.digest import of

            manifest["config"] |= {"digest": of(text), "size": len(text)}
            return [(json.dumps(manifest).encode(), text)]

    files = WeightFiles(tmp_path / "weights")
    with pytest.raises(ImageRefusedError, match="a file of weights is"):
        await WeightsCache(files, blobs, Lying()).place(image, silent)
    placed = await cache(tmp_path, blobs, {image.version: [honest]}).place(image, silent)
    assert (placed[0].folder / "net.bin").read_bytes() == b"numbers"


Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's own


async def test_a_full_disk_is_not_the_model_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is written, and may be tried again."""

    def nearly_full(_path: Any) -> Usage:
        return Usage(1 << 30, 1 << 30, 1000)

    blobs = MemoryBlobs()
    artifact = await keep_weights(blobs, CONTENTS)
    image = image_of(make_image(cog=declared(artifact)))
    weights = cache(tmp_path, blobs, {image.version: [artifact]})
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", nearly_full)
        with pytest.raises(PrepareFailedError, match="need 11 more bytes"):
            await weights.place(image, silent)
    assert await weights.place(image, silent)
    assert os.listdir(tmp_path / "weights" / "sets")  # noqa: PTH208 - whether there is one
