"""What is said to differ between two images."""

from __future__ import annotations

import json
from typing import Any

from cogyard.image.compare import PackageChange, difference
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.layout import StoredImage
from cogyard.oci.manifest import Manifest

SCHEMA = {"components": {"schemas": {"Input": {"properties": {"a": {"type": "string"}}}}}}


def image(layers: list[bytes], **labels: str) -> StoredImage:
    """Make an image with these layers and labels."""
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
