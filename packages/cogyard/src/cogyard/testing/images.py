"""Small images made in a moment, for tests of what runs or stores them: a few files, a lock, and the labels."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cog.schema import openapi, read_source

from cogyard.domain.blobs import BlobStore
from cogyard.oci import descriptor as media
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.layer import LayerWriter
from cogyard.oci.manifest import Manifest, describe, encode

#: A lock of no packages: nothing has to be fetched to run such an image.
EMPTY_LOCK = (
    'lock-version = "1.0"\ncreated-by = "cogyard.testing"\nrequires-python = ">=3.10"\npackages = []\n'
)

HELLO = """
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, text: str = "") -> str:
        print("greeting")
        return f"hello {text}"
"""


@dataclass(frozen=True, kw_only=True)
class TestImage:
    """An image's parts: what a push sends."""

    __test__ = False

    manifest: bytes
    config: bytes
    digest: str
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version's id."""
        return self.digest.removeprefix("sha256:")

    async def put(self, blobs: BlobStore) -> None:
        """Keep the layers and the config in a blob store."""
        for content in self.blobs.values():
            await blobs.write(_once(content))


class TestVersions:
    """A VersionSource over TestImages."""

    __test__ = False

    def __init__(self, *images: TestImage) -> None:
        self.images = {image.version: image for image in images}

    async def manifest(self, version: str) -> tuple[bytes, Mapping[str, Any]]:
        """Return (manifest bytes, image config) of a version; raise KeyError when there is none."""
        image = self.images[version]
        return image.manifest, json.loads(image.config)


class _Layers:
    """The layers of an image, as they are made."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.diff_ids: list[str] = []
        self.descriptors: list[Descriptor] = []

    def add(self, kind: str, files: Mapping[str, bytes]) -> None:
        """Put a layer of these files on top."""
        sink = io.BytesIO()
        writer = LayerWriter(sink)
        for path, data in files.items():
            writer.file(path, data)
        summary = writer.finish()
        self.blobs[summary.digest] = sink.getvalue()
        self.diff_ids.append(summary.diff_id)
        self.descriptors.append(
            Descriptor(
                media_type=media.LAYER_GZIP,
                digest=summary.digest,
                size=summary.size,
                annotations={"run.cog.layer": kind},
            )
        )


def make_image(
    predict: str = HELLO,
    *,
    lock: str | None = EMPTY_LOCK,
    python: str = "3.11",
    cog: Mapping[str, Any] | None = None,
    env: tuple[str, ...] = (),
    weights: Mapping[str, bytes] | None = None,
    expects: bytes | None = None,
) -> TestImage:
    """Make an image of one `predict.py`, as `cog build` lays it out (spec/image.md), without a base.

    `expects` is what it says of weights beside it.
    """
    layers = _Layers()
    if lock is not None:
        documents = {} if expects is None else {".cog/weights.json": expects}
        layers.add("lock", {**documents, "opt/cog/pylock.toml": lock.encode()})
    if weights:
        layers.add("weights", {f"src/{name}": data for name, data in weights.items()})
    schema = json.dumps(schema_of(predict, (cog or {}).get("train")))
    layers.add(
        "source", {"src/.cog/openapi_schema.json": schema.encode(), "src/predict.py": predict.encode()}
    )
    described: dict[str, Any] = {
        "build": {"python_version": python},
        "predict": "predict.py:Predictor",
        **(cog or {}),
    }
    labels = {
        "run.cog.version": "0.1.0",
        "run.cog.config": json.dumps(described),
        "run.cog.python_version": python,
        "run.cog.openapi_schema": schema,
    }
    config = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(diff_ids=layers.diff_ids),
        config=RunConfig(labels=labels, env=list(env), working_dir="/src"),
    )
    descriptor, config_bytes = describe(config, media.CONFIG)
    blobs = {**layers.blobs, descriptor.digest: config_bytes}
    manifest = Manifest(
        schema_version=2, media_type=media.MANIFEST, config=descriptor, layers=layers.descriptors
    )
    named, manifest_bytes = describe(manifest, media.MANIFEST)
    assert manifest_bytes == encode(manifest)  # noqa: S101 - the digest is of these very bytes
    return TestImage(manifest=manifest_bytes, config=config_bytes, digest=named.digest, blobs=blobs)


def schema_of(predict: str, train: str | None = None) -> Mapping[str, Any]:
    """Read the schema of a `predict.py` from its source, as a build does; `train` is where its training is."""
    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
        (Path(folder) / "predict.py").write_text(predict)
        training = read_source(folder, train, train=True) if train else None
        return openapi(read_source(folder, "predict.py:Predictor"), training)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
