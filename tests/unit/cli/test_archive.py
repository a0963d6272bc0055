"""`cog save` of an image that is there for several platforms."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cogyard.cli.archive import load, save
from cogyard.cli.errors import MisuseError
from cogyard.oci.config import ImageConfig, RootFs
from cogyard.oci.descriptor import CONFIG, INDEX, LAYER, MANIFEST, Descriptor, Platform
from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Index, Manifest, describe, encode
from cogyard.oci.reference import Reference


@pytest.fixture
def digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Keep an image for two platforms; return the digest of each."""
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(tmp_path))
    store, entries = ImageStore(tmp_path / "images"), []
    for architecture in ("amd64", "arm64"):
        layer = Descriptor(media_type=LAYER, digest=store.write(b"layer"), size=5)
        data = encode(
            ImageConfig(architecture=architecture, os="linux", rootfs=RootFs(diff_ids=[of(b"layer")]))
        )
        own = Descriptor(media_type=CONFIG, digest=store.write(data), size=len(data))
        _, document = describe(Manifest(schema_version=2, config=own, layers=[layer]), MANIFEST)
        where = Platform(os="linux", architecture=architecture)
        digest = store.write(document)
        entries.append(Descriptor(media_type=MANIFEST, digest=digest, size=len(document), platform=where))
    index, document = describe(Index(schema_version=2, media_type=INDEX, manifests=entries), INDEX)
    store.write(document)
    store.tag(Reference.parse("both"), index)
    return {each.platform.architecture: each.digest for each in entries if each.platform is not None}


def written(folder: Path, *options: str) -> tuple[Result, str]:
    """Save it; return how that went, and the digest of what is in the file."""
    path = folder / "image.tar"
    done = CliRunner().invoke(save, ["both", "-o", str(path), *options], catch_exceptions=True)
    if not path.exists():
        return done, ""
    with tarfile.open(path) as archive:
        file = archive.extractfile("index.json")
        assert file is not None
        return done, str(json.load(file)["manifests"][0]["digest"])


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_a_platform_can_be_chosen(tmp_path: Path, digests: dict[str, str], architecture: str) -> None:
    """Whatever this machine is; nothing needs to be said then."""
    done, digest = written(tmp_path, "--platform", f"linux/{architecture}")
    assert digest == digests[architecture]
    assert "the file gets" not in done.output


def test_that_others_are_left_out_is_told(tmp_path: Path, digests: dict[str, str]) -> None:
    """A file with one of two platforms is no surprise on the other machine."""
    done, digest = written(tmp_path)
    assert digest in digests.values()
    assert "is for linux/amd64 and linux/arm64; the file gets linux/" in done.output


def test_a_platform_that_is_not_there_is_told(tmp_path: Path, digests: dict[str, str]) -> None:
    """With those that are."""
    done, digest = written(tmp_path, "--platform", "linux/s390x")
    assert (digest, "is not there for linux/s390x" in str(done.exception)) == ("", True)


def test_a_file_is_loaded_with_and_without_its_option(
    digests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cog load FILE` is what people type first; it does what `-i FILE` does, and two files are refused."""
    archive = tmp_path / "both.tar"
    assert CliRunner().invoke(save, ["both", "--platform", "linux/arm64", "-o", str(archive)]).exit_code == 0
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(tmp_path / "other"))
    for arguments in ([str(archive)], ["-i", str(archive)]):
        taken = CliRunner().invoke(load, [*arguments, "--platform", "linux/arm64"])
        assert (taken.exit_code, taken.stdout) == (0, "both:latest\n")
    twice = CliRunner().invoke(load, [str(archive), "-i", str(archive)])
    assert isinstance(twice.exception, MisuseError)
    assert "two files" in twice.exception.message


def test_an_image_that_is_named_twice_is_written_once(tmp_path: Path, digests: dict[str, str]) -> None:
    """And one that is not there ends it before a file is begun."""
    path = tmp_path / "images.tar"
    done = CliRunner().invoke(save, ["both", "both:latest", "--platform", "linux/arm64", "-o", str(path)])
    assert done.exit_code == 0
    with tarfile.open(path) as archive:
        file = archive.extractfile("index.json")
        assert file is not None
        assert [each["digest"] for each in json.load(file)["manifests"]] == [digests["arm64"]]
    path.unlink()
    assert CliRunner().invoke(save, ["both", "neither", "-o", str(path)]).exit_code != 0
    assert not path.exists()
