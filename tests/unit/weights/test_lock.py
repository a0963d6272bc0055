"""weights.lock: Cog's form, the same bytes for the same import, and held against cog.yaml."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest
from cogyard.oci.descriptor import LAYER
from cogyard.oci.digest import of
from cogyard.project.values import Weights
from cogyard.weights.artifact import Artifact, WeightFile, WeightLayer
from cogyard.weights.errors import LockInvalidError, NotImportedError, SourceError
from cogyard.weights.lock import Entry, Source, WeightsLock, decode
from cogyard.weights.wishes import Wish, normal, wish_of

LAYER_DIGEST = of(b"layer")
ENTRY = Entry(
    artifact=Artifact(
        name="base",
        target="/src/weights",
        files=(WeightFile(path="m.bin", layer=LAYER_DIGEST, size=3, digest=of(b"abc")),),
        layers=(WeightLayer(digest=LAYER_DIGEST, media_type=LAYER, size=2048, plain_size=3),),
    ),
    digest=of(b"manifest"),
    sources=(
        Source(
            uri="file://./weights",
            fingerprint="sha256:x",
            exclude=("*.md",),
            imported_at="2026-11-26T19:00:00Z",
        ),
    ),
)
DECLARED = Weights(name="base", target="/src/weights", source={"uri": "./weights", "exclude": ["*.md"]})


def test_the_file_is_the_one_that_cog_writes() -> None:
    """Fields, their order and the empty lists; no annotations, no absolute paths."""
    assert json.loads(WeightsLock(entries=(ENTRY,)).encode()) == {
        "version": 1,
        "weights": [
            {
                "name": "base",
                "target": "/src/weights",
                "source": {
                    "uri": "file://./weights",
                    "fingerprint": "sha256:x",
                    "include": [],
                    "exclude": ["*.md"],
                    "importedAt": "2026-11-26T19:00:00Z",
                },
                "digest": of(b"manifest"),
                "setDigest": ENTRY.artifact.set_digest,
                "size": 3,
                "sizeCompressed": 2048,
                "files": [{"path": "m.bin", "size": 3, "digest": of(b"abc"), "layer": LAYER_DIGEST}],
                "layers": [{"digest": LAYER_DIGEST, "mediaType": LAYER, "size": 2048, "sizeUncompressed": 3}],
            }
        ],
    }


def test_what_is_written_is_read() -> None:
    """The same entries come out."""
    assert decode(WeightsLock(entries=(ENTRY,)).encode()) == WeightsLock(entries=(ENTRY,))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}", "version None"),
        (b'{"version": "v1"}', "version 'v1'"),
        (b"no json", "cannot be read"),
        (b'{"version": 1, "weights": [{}]}', "cannot be read"),
        (WeightsLock(entries=(ENTRY,)).encode().replace(b"m.bin", b"../m"), "not a plain relative path"),
    ],
)
def test_another_file_is_refused(data: bytes, words: str) -> None:
    """In words, with what to do; a path that leads elsewhere too."""
    with pytest.raises(LockInvalidError, match=words) as raised:
        decode(data)
    assert raised.value.hint


def test_it_is_held_against_cog_yaml() -> None:
    """What was never imported, and what was imported otherwise, is told with the command that mends it."""
    lock = WeightsLock(entries=(ENTRY,))
    assert lock.of([DECLARED]) == (ENTRY,)
    for declared, words in (
        (msgspec.structs.replace(DECLARED, name="more"), "is not in weights.lock"),
        (msgspec.structs.replace(DECLARED, target="/src/other"), "is not as in weights.lock"),
        (msgspec.structs.replace(DECLARED, source={"uri": "./weights"}), "is not as in weights.lock"),
    ):
        with pytest.raises(NotImportedError, match=words) as raised:
            lock.of([declared])
        assert raised.value.hint == f"cog weights import {declared.name}"


def test_the_time_alone_changes_nothing() -> None:
    """So an import that finds the same does not touch the file."""
    later = replace(ENTRY, sources=(replace(ENTRY.sources[0], imported_at="2027-01-01T00:00:00Z"),))
    assert later.same(ENTRY)
    assert not replace(ENTRY, digest=of(b"other")).same(ENTRY)
    assert not ENTRY.same(None)


def test_entries_keep_the_order_of_cog_yaml() -> None:
    """New ones are put where they are declared, and those that are not declared any more can be left out."""
    other = replace(ENTRY, artifact=replace(ENTRY.artifact, name="a", target="/src/a"))
    lock = WeightsLock(entries=(ENTRY,)).having(other, ["a", "base"])
    assert [each.artifact.name for each in lock.entries] == ["a", "base"]
    assert [each.artifact.name for each in lock.only(["a"]).entries] == ["a"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("weights", "file://./weights"),
        ("./weights/", "file://./weights"),
        ("file://./a/../weights", "file://./weights"),
        ("/data/w", "file:///data/w"),
        ("file:///data/w", "file:///data/w"),
        ("hf://owner/name@v1", "hf://owner/name@v1"),
        ("https://a.example/x/model.bin", "https://a.example/x/model.bin"),
    ],
)
def test_addresses_are_kept_in_one_form(given: str, kept: str) -> None:
    """So the lock is the same on every machine, however cog.yaml writes it."""
    assert normal(given) == kept


@pytest.mark.parametrize(
    "given", ["", ".", "file://", "../w", "https://a.example/", "https://u:secret@a.example/x"]
)
def test_addresses_of_nothing_are_refused(given: str) -> None:
    """The project itself, what is outside of it, and passwords, which would be written down; never repeated."""
    with pytest.raises(SourceError) as raised:
        normal(given)
    assert "secret" not in raised.value.message


def test_patterns_are_those_of_gitignore() -> None:
    """A name without a slash in every folder, a path from the top; what is excluded is not included again."""
    wish = Wish(uri="file://./w", include=("*.bin", "onnx/*.json"), exclude=("old.bin",))
    takes = {
        path: wish.takes(path)
        for path in ("a.bin", "x/y/a.bin", "onnx/c.json", "x/onnx/c.json", "x/old.bin", "c.txt")
    }
    assert takes == {
        "a.bin": True, "x/y/a.bin": True, "onnx/c.json": True, "x/onnx/c.json": False, "x/old.bin": False,
        "c.txt": False,
    }  # fmt: skip


def test_a_declaration_without_a_source_is_refused() -> None:
    """With an example of one."""
    with pytest.raises(SourceError, match="have no source"):
        wish_of(msgspec.structs.replace(DECLARED, source=None))
