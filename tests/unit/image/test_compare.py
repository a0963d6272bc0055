"""What is said to differ between two images."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from cogyard.image.compare import BesideImage, PackageChange, WeightsChange, beside_of, difference
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.layout import StoredImage
from cogyard.oci.manifest import Manifest
from cogyard.weights.artifact import ARTIFACT, NAME, PLAIN_SIZE, SET_DIGEST

SCHEMA = {"components": {"schemas": {"Input": {"properties": {"a": {"type": "string"}}}}}}


def image(layers: list[bytes], weights: dict[str, bytes] | None = None, **labels: str) -> StoredImage:
    """Make an image with these layers, labels, and weights beside it."""
    config = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(),
        config=RunConfig(labels={f"run.cog.{name}": value for name, value in labels.items()}),
    )
    found = [Descriptor(media_type=LAYER_GZIP, digest=of(each), size=len(each)) for each in layers]
    own = Descriptor(media_type=CONFIG, digest=of(b""), size=0)
    return StoredImage(
        name="x",
        descriptor=Descriptor(media_type=MANIFEST, digest=of(b""), size=0),
        manifest=Manifest(schema_version=2, config=own, layers=found),
        config=config,
        beside=tuple(entry(name, content) for name, content in (weights or {}).items()),
    )


def entry(name: str, content: bytes) -> Descriptor:
    """Make an index's entry of a set of weights."""
    notes = {NAME: name, SET_DIGEST: of(content), PLAIN_SIZE: str(len(content))}
    return Descriptor(
        media_type=MANIFEST, digest=of(content), size=1, artifact_type=ARTIFACT, annotations=notes
    )


def test_layers_are_shared_new_or_gone() -> None:
    """By their digests; what is new is what a pull would fetch."""
    found = difference(image([b"base", b"old"]), image([b"base", b"newer", b"newest"]))
    assert [each.size for each in found.shared] == [4]
    assert [each.size for each in found.added] == [5, 6]
    assert [each.size for each in found.removed] == [3]


def test_packages_are_added_removed_and_changed() -> None:
    """Names are compared as pip does; addresses count as versions."""
    old = "numpy==1.0\nPillow_SIMD==9\ngone==1\nmine @ https://a.example/x.whl\n"
    new = "numpy==2.0\npillow-simd==9\nadded==3\nmine @ https://a.example/y.whl\n# a remark\n"
    found = difference(image([], pip_freeze=old), image([], pip_freeze=new)).packages
    assert found == (
        PackageChange(name="added", old=None, new="3"),
        PackageChange(name="gone", old="1", new=None),
        PackageChange(name="mine", old="https://a.example/x.whl", new="https://a.example/y.whl"),
        PackageChange(name="numpy", old="1.0", new="2.0"),
    )


def test_weights_are_compared_by_their_files() -> None:
    """Added, gone, or of the same name with other files; what an index says of sizes is not trusted to be a number."""
    old, new = (
        image([], {"a": b"one", "b": b"same", "gone": b"."}),
        image([], {"a": b"other", "b": b"same", "c": b""}),
    )
    assert difference(old, new).weights == (
        WeightsChange(
            name="a",
            old=BesideImage(name="a", set_digest=of(b"one"), size=3),
            new=BesideImage(name="a", set_digest=of(b"other"), size=5),
        ),
        WeightsChange(name="c", old=None, new=BesideImage(name="c", set_digest=of(b""), size=0)),
        WeightsChange(name="gone", old=BesideImage(name="gone", set_digest=of(b"."), size=1), new=None),
    )
    odd = entry("odd", b"x")
    assert odd.annotations is not None
    odd.annotations[PLAIN_SIZE] = "-1"
    assert beside_of(msgspec.structs.replace(image([]), beside=(odd,)))[0].size == 0


def test_a_schema_that_breaks_callers_is_breaking() -> None:
    """And one that cannot be read is not compared."""
    changed: dict[str, Any] = {
        "components": {"schemas": {"Input": {"properties": {"a": {"type": "integer"}}}}}
    }
    before = image([], openapi_schema=json.dumps(SCHEMA))
    found = difference(before, image([], openapi_schema=json.dumps(changed)))
    assert found.breaking
    assert [str(each) for each in found.schema or ()] == ["input a: type string, now integer"]
    assert difference(before, before).schema == ()
    for label in ("{", "[]", "[" * 100_000):
        other = difference(before, image([], openapi_schema=label))
        assert (other.schema, other.breaking) == (None, False)
