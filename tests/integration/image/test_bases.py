"""Bases from a registry that really listens, by way of the mirror setting."""

from __future__ import annotations

import asyncio
import gzip
import io
import tarfile
from pathlib import Path

import pytest
from cogyard.image.bases.choose import find_base
from cogyard.image.errors import BaseError
from cogyard.image.site import Site
from cogyard.oci.client import RegistryClient
from cogyard.oci.config import ImageConfig, RootFs, RunConfig
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import push_image

from tests.integration.oci.test_registries import distribution

__all__ = ["distribution"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a store and a cache to work in."""
    return Site(store=ImageStore(tmp_path / "images"), cache=tmp_path / "cache")


async def _push_base(host: str, folder: Path, python: str) -> str:
    """Push an image with a Python of this version as HOST/library/python:X.Y-slim."""
    store = ImageStore(folder)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(f"usr/local/bin/python{python}")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"\x7fELF"))
    packed = gzip.compress(out.getvalue(), mtime=0)
    layer = Descriptor(media_type=LAYER_GZIP, digest=store.write(packed), size=len(packed))
    run = RunConfig(env=["PATH=/usr/local/bin"], cmd=["python3"])
    config = encode(
        ImageConfig(
            architecture="amd64", os="linux", rootfs=RootFs(diff_ids=[of(out.getvalue())]), config=run
        )
    )
    own = Descriptor(media_type=CONFIG, digest=store.write(config), size=len(config))
    descriptor, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[layer]), MANIFEST
    )
    store.write(data)
    reference = Reference.parse(f"{host}/library/python:{python}-slim")
    store.tag(reference, descriptor)
    async with RegistryClient(host) as client:
        return await push_image(client, store, store.image(reference), reference)


def test_the_default_base_comes_from_the_mirror(
    distribution: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word about bases, the Python image of Docker Hub is taken, from the mirror that is set."""
    digest = asyncio.run(_push_base(distribution, tmp_path / "hub", "3.11"))
    monkeypatch.setenv("COGYARD_REGISTRY_MIRROR", distribution)
    base = find_base(None, "3.11", "amd64", site)
    assert (base.name, base.digest, base.python) == ("python:3.11-slim", digest, "/usr/local/bin/python3.11")
    assert not base.has_tini
    assert base.status is None
    assert all(site.store.has(layer.descriptor) for layer in base.layers)
    named = find_base(f"{distribution}/library/python:3.11-slim", "3.11", "amd64", site)
    assert named.layers == base.layers


def test_a_base_without_the_python_is_refused(
    distribution: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base that a person names is not replaced behind their back."""
    asyncio.run(_push_base(distribution, tmp_path / "hub", "3.11"))
    with pytest.raises(BaseError, match=r"no Python 3\.13"):
        find_base(f"{distribution}/library/python:3.11-slim", "3.13", "amd64", site)


def test_an_unreachable_mirror_falls_back_on_debian(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no registry answers, the message is about what Debian can do."""
    monkeypatch.setenv("COGYARD_REGISTRY_MIRROR", "127.0.0.1:1")
    with pytest.raises(BaseError, match=r"Debian has no Python 3\.12"):
        find_base(None, "3.12", "amd64", site)
