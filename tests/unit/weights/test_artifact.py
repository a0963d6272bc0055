"""Weights in an OCI artifact: what is written, byte for byte, and what of others is not believed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from cogyard.oci.descriptor import LAYER, LAYER_GZIP
from cogyard.oci.digest import of
from cogyard.weights.artifact import (
    Artifact,
    WeightFile,
    WeightLayer,
    expected,
    is_entry,
    read_artifact,
    set_digest,
)
from cogyard.weights.errors import ArtifactInvalidError
from hypothesis import given
from hypothesis import strategies as st

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
FILES = (
    WeightFile(path="model.safetensors", layer=B, size=3, digest=of(b"two")),
    WeightFile(path="config.json", layer=A, size=4, digest=of(b"more")),
)
LAYERS = (
    WeightLayer(digest=B, media_type=LAYER, size=2048, plain_size=3),
    WeightLayer(digest=A, media_type=LAYER_GZIP, size=90, plain_size=4),
)
BASE = Artifact(name="base", target="/src/weights", files=FILES, layers=LAYERS)


def test_the_set_digest_is_of_what_sha256sum_prints() -> None:
    """Sorted lines of digest, two spaces and path, joined by newlines: whatever the layers are."""
    lines = sorted(
        [
            f"{hashlib.sha256(b'two').hexdigest()}  model.safetensors",
            f"{hashlib.sha256(b'more').hexdigest()}  config.json",
        ]
    )
    assert set_digest(FILES) == of("\n".join(lines).encode())
    assert set_digest(reversed([replace_layer(each, C) for each in FILES])) == set_digest(FILES)


def replace_layer(file: WeightFile, layer: str) -> WeightFile:
    """Return a file in another layer."""
    return WeightFile(path=file.path, layer=layer, size=file.size, digest=file.digest)


def test_configuration_and_manifest_are_those_of_the_draft() -> None:
    """Every byte of them: names, order, annotations; files by path, layers by digest."""
    config = (
        f'{{"name":"base","target":"/src/weights","setDigest":"{BASE.set_digest}","files":['
        f'{{"path":"config.json","layer":"{A}","size":4,"digest":"{of(b"more")}"}},'
        f'{{"path":"model.safetensors","layer":"{B}","size":3,"digest":"{of(b"two")}"}}]}}'
    ).encode()
    assert BASE.config() == config
    assert (
        BASE.manifest()
        == (
            '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
            '"artifactType":"application/vnd.cog.weight.v1",'
            '"config":{"mediaType":"application/vnd.cog.weight.config.v1+json",'
            f'"size":{len(config)},"digest":"{of(config)}"}},'
            '"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":90,'
            f'"digest":"{A}","annotations":{{"run.cog.weight.size.uncompressed":"4"}}}},'
            '{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":2048,'
            f'"digest":"{B}","annotations":{{"run.cog.weight.size.uncompressed":"3"}}}}],'
            '"annotations":{"run.cog.weight.name":"base",'
            f'"run.cog.weight.set-digest":"{BASE.set_digest}","run.cog.weight.target":"/src/weights"}}}}'
        ).encode()
    )


def test_the_index_says_what_it_is_and_that_nothing_runs_it() -> None:
    """With the artifact's type, no platform, name, digest and size; the target is for who reads the manifest."""
    entry = BASE.entry()
    assert is_entry(entry)
    assert (entry.digest, entry.size) == (of(BASE.manifest()), len(BASE.manifest()))
    assert entry.platform is not None
    assert (entry.platform.os, entry.platform.architecture) == ("unknown", "unknown")
    assert entry.annotations == {
        "run.cog.weight.name": "base",
        "run.cog.weight.set-digest": BASE.set_digest,
        "run.cog.weight.size.uncompressed": "7",
    }
    assert BASE.tag() == f"weights-base-{BASE.set_digest[7:19]}"


def test_an_image_says_which_weights_it_expects() -> None:
    """Name, target and set digest, for whoever starts it."""
    assert json.loads(expected([BASE])) == {
        "weights": [{"name": "base", "target": "/src/weights", "setDigest": BASE.set_digest}]
    }


def test_what_is_written_is_read() -> None:
    """The same artifact comes out, and writes the same bytes again."""
    again = read_artifact(BASE.manifest(), BASE.config())
    assert again.manifest() == BASE.manifest()
    assert sorted(again.files, key=lambda each: each.path) == sorted(FILES, key=lambda each: each.path)


def test_a_digest_over_lines_sorted_by_path_is_read_too() -> None:
    """Earlier Cogs sorted so; it names the same files."""
    lines = [f"{each.digest[7:]}  {each.path}" for each in sorted(FILES, key=lambda each: each.path)]
    manifest, config = rewritten(lambda document: document.update(setDigest=of("\n".join(lines).encode())))
    assert read_artifact(manifest, config).set_digest == BASE.set_digest


def rewritten(change: Any, change_manifest: Any = lambda _document: None) -> tuple[bytes, bytes]:
    """Return manifest and configuration with changes."""
    document = json.loads(BASE.config())
    change(document)
    config = json.dumps(document).encode()
    manifest = json.loads(BASE.manifest())
    manifest["config"] |= {"digest": of(config), "size": len(config)}
    change_manifest(manifest)
    return json.dumps(manifest).encode(), config


def _path(path: str) -> Any:
    return lambda document: document["files"][0].update(path=path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_path("../x"), "not a plain relative path"),
        (_path("/etc/passwd"), "not a plain relative path"),
        (_path("a//b"), "not a plain relative path"),
        (_path("./a"), "not a plain relative path"),
        (_path(".cog/ready"), "belongs to whoever delivers"),
        (_path("a/.wh.b"), "layers remove files"),
        (_path("a\\b"), "control character or a backslash"),
        (_path("a\nb"), "control character"),
        (_path("x" * 5000), "it may have 1 to 4096"),
        (_path("model.safetensors"), "is twice"),
        (_path("model.safetensors/x"), "below a file"),
        (lambda document: document["files"][0].update(layer=C), "layer that is not there"),
        (lambda document: document["files"][0].update(size=-1), "has -1 bytes"),
        (lambda document: document["files"][0].update(digest="md5:x"), "not valid"),
        (lambda document: document.update(files=[]), "have 0 files"),
        (lambda document: document.update(setDigest=A), "say that their files are"),
        (lambda document: document.update(name="Base!"), "is not a name"),
        (lambda document: document.update(target="/src/../etc"), "not a plain absolute path"),
        (lambda document: document.update(target="/proc/x"), "for itself"),
        (lambda document: document.update(target="/src"), "the project's own folder"),
        (lambda document: document.update(target="/a:/b"), "a mount cannot have"),
        (lambda document: document.pop("files"), "not valid"),
    ],
)
def test_what_cannot_be_is_refused(change: Any, words: str) -> None:
    """Paths that lead elsewhere, names of nothing, and digests of something else."""
    with pytest.raises(ArtifactInvalidError, match=words):
        read_artifact(*rewritten(change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document["config"].update(mediaType="application/json"), "configuration of type"),
        (lambda document: document["config"].update(size=5 << 20), "limits are"),
        (lambda document: document["config"].update(digest=A), "not the one"),
        (lambda document: document["layers"][0].update(mediaType="text/html"), "layer of type"),
        (lambda document: document.pop("layers"), "not valid"),
    ],
)
def test_a_manifest_of_something_else_is_refused(change: Any, words: str) -> None:
    """Before anything large is fetched."""
    with pytest.raises(ArtifactInvalidError, match=words):
        read_artifact(*rewritten(lambda _document: None, change))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_bytes_of_anybody_are_refused_in_words(manifest: bytes, config: bytes) -> None:
    """Never by another error."""
    with pytest.raises(ArtifactInvalidError):
        read_artifact(manifest, config)


def test_a_name_changes_the_manifest_and_not_the_set() -> None:
    """So two models that call the same files differently share them."""
    other = replace(BASE, name="other", target="/opt/w")
    assert other.set_digest == BASE.set_digest
    assert other.manifest() != BASE.manifest()
