"""The documents of an image: labels as Cog's, configuration as docker reads it, one archive for every tool."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import msgspec
from cogyard.image.archive import write_archive
from cogyard.image.assemble import describe_config, image_config, image_manifest, labels
from cogyard.image.bases.base import Base, BaseLayer
from cogyard.image.plan import Plan
from cogyard.oci.config import RunConfig
from cogyard.oci.descriptor import LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import describe, encode
from cogyard.oci.reference import Reference

DIGESTS = ["sha256:" + letter * 64 for letter in "abcd"]
LOWEST = Descriptor(media_type=LAYER_GZIP, digest=DIGESTS[0], size=1)
BASE = Base(
    name="python:3.11-slim",
    architecture="arm64",
    layers=(BaseLayer(descriptor=LOWEST, diff_id=DIGESTS[1]),),
    run=RunConfig(
        env=["A=1"],
        labels={"theirs": "1", "run.cog.version": "old"},
        exposed_ports={"80/tcp": {}},
        user="nobody",
    ),
    python="/usr/local/bin/python3.11",
    python_version="3.11",
    digest=DIGESTS[2],
)
PLAN = Plan(layers=(), env=("PATH=/x",), entrypoint=(), cmd=("run",))


def test_labels_are_those_cog_reads() -> None:
    """Each label has its name and its compact form; has_init only where an init is the entry point."""
    found = labels(
        version="1.2",
        config={"build": {"gpu": False}},
        schema=b"{}",
        freeze="a==1\nb==2",
        base=BASE,
        has_init=True,
        kinds={DIGESTS[3]: "source"},
    )
    assert found == {
        "run.cog.version": "1.2",
        "run.cog.config": '{"build":{"gpu":false}}',
        "run.cog.openapi_schema": "{}",
        "run.cog.pip_freeze": "a==1\nb==2",
        "run.cog.python_version": "3.11",
        "run.cog.has_init": "true",
        "run.cog.layers": f'{{"{DIGESTS[3]}":"source"}}',
        "org.opencontainers.image.base.name": "python:3.11-slim",
        "org.opencontainers.image.base.digest": DIGESTS[2],
    }
    assert "run.cog.has_init" not in labels(
        version="1.2", config={}, schema=b"{}", freeze="", base=BASE, has_init=False, kinds={}
    )


def test_the_configuration_is_over_the_bases() -> None:
    """Layers line up with diffIDs, the base's labels stay but for Cog's, and the time is the epoch."""
    config = image_config(BASE, PLAN, [("source", DIGESTS[3])], {"run.cog.version": "new"}, epoch=0)
    assert config.rootfs.diff_ids == [DIGESTS[1], DIGESTS[3]]
    assert [each.created_by for each in config.history or []] == ["python:3.11-slim", "source"]
    assert (config.architecture, config.os, config.created) == ("arm64", "linux", "1970-01-01T00:00:00Z")
    assert config.labels == {"theirs": "1", "run.cog.version": "new"}
    assert config.config is not None
    assert config.config.exposed_ports == {"80/tcp": {}, "5000/tcp": {}}
    assert (config.config.working_dir, config.config.cmd, config.config.entrypoint) == ("/src", ["run"], None)
    assert config.config.user == ""


def test_the_archive_is_a_layout_and_a_docker_archive_at_once(tmp_path: Path) -> None:
    """Both kinds of reader find the image under its name; layers left out are only left out."""
    store = ImageStore(tmp_path)
    layer = Descriptor(media_type=LAYER_GZIP, digest=store.write(b"layer"), size=5)
    base = msgspec.structs.replace(BASE, layers=(BaseLayer(descriptor=layer, diff_id=DIGESTS[1]),))
    config = encode(image_config(base, PLAN, [], {}, epoch=0))
    manifest = image_manifest(describe_config(store.write(config), len(config)), base, [])
    descriptor, data = describe(manifest, MANIFEST)
    store.write(data)
    reference = Reference.parse("127.0.0.1:5000/me/hello:v1")
    store.tag(reference, descriptor)
    image = store.image(reference)

    def members(*without: str) -> dict[str, bytes]:
        out = io.BytesIO()
        write_archive(store, image, out, without=without)
        with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
            return {each.name: file.read() for each in archive if (file := archive.extractfile(each))}

    found = members()
    docker = json.loads(found["manifest.json"])
    assert docker == [
        {
            "Config": f"blobs/sha256/{manifest.config.digest[7:]}",
            "RepoTags": ["127.0.0.1:5000/me/hello:v1"],
            "Layers": [f"blobs/sha256/{layer.digest[7:]}"],
        }
    ]
    assert json.loads(found["index.json"])["manifests"][0]["digest"] == descriptor.digest
    assert found[f"blobs/sha256/{layer.digest[7:]}"] == b"layer"
    assert found[f"blobs/sha256/{descriptor.digest[7:]}"] == data
    assert set(found) - set(members(layer.digest)) == {f"blobs/sha256/{layer.digest[7:]}"}
