"""Bases from a registry that really listens, by way of the mirror setting."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from cogyard.image.bases.choose import find_base
from cogyard.image.build import build
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
from cogyard.project import load_project

from tests.integration.image.conftest import CONFIG as PROJECT
from tests.integration.image.conftest import PREDICT, Built
from tests.integration.oci.registries import distribution

__all__ = ["distribution"]
COG = Path(sys.executable).parent / "cog"


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


def test_an_unreachable_mirror_falls_back_on_packages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no registry answers, the message is about what Debian and Ubuntu can do."""
    monkeypatch.setenv("COGYARD_REGISTRY_MIRROR", "127.0.0.1:1")
    with pytest.raises(BaseError, match=r"neither Debian nor Ubuntu has Python 3\.9") as caught:
        find_base(None, "3.9", "amd64", site)
    assert "3.10 or 3.11 or 3.12 or 3.13 or 3.14" in (caught.value.hint or "")


def _without_init(built: Built) -> bytes:
    """Return a layer that takes the init out of the assembled base, and out of dpkg's list."""
    base = built.image.images[0].base
    status = re.sub(r"(?m)^Package: tini\n(?:.+\n)*\n?", "", base.status or "")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("usr/bin/.wh.tini", b""), ("var/lib/dpkg/status", status.encode())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


async def _push_assembled(host: str, built: Built, above: bytes, note: str) -> str:
    """Push the assembled base with a layer more as HOST/bases/python:3.11; return its digest."""
    base, store = built.image.images[0].base, built.store
    packed = gzip.compress(above, mtime=0)
    layer = Descriptor(media_type=LAYER_GZIP, digest=store.write(packed), size=len(packed))
    diff_ids = [*(each.diff_id for each in base.layers), of(above)]
    config = encode(
        ImageConfig(
            architecture="amd64", os="linux", rootfs=RootFs(diff_ids=diff_ids),
            config=RunConfig(env=[*(base.run.env or ()), f"NOTE={note}"]),
        )
    )  # fmt: skip
    own = Descriptor(media_type=CONFIG, digest=store.write(config), size=len(config))
    layers = [*(each.descriptor for each in base.layers), layer]
    descriptor, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=layers), MANIFEST
    )
    store.write(data)
    reference = Reference.parse(f"{host}/bases/python:3.11")
    store.tag(reference, descriptor)
    async with RegistryClient(host) as client:
        return await push_image(client, store, store.image(reference), reference)


def test_a_lock_keeps_a_registry_s_base_by_its_digest(
    built: Built, distribution: str, tmp_path: Path
) -> None:
    """Whatever its tag names later; and an image on it has an init, though the base has none and nobody asked."""
    (tmp_path / "cog.yaml").write_text(PROJECT)
    (tmp_path / "predict.py").write_text(PREDICT)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COG")}
    own = {"COGYARD_CACHE_DIR": str(built.cache), "UV_PYTHON_DOWNLOADS": "never"}

    def cog(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [COG, *arguments], cwd=tmp_path, env={**kept, **own, **more}, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    first = asyncio.run(_push_assembled(distribution, built, _without_init(built), "first"))
    name = f"{distribution}/bases/python:3.11"
    cog("lock", "--platform", "linux/amd64", COGYARD_BASE=name)
    (row,) = tomllib.loads((tmp_path / "cog.lock").read_text())["tool"]["cogyard"]["bases"]
    assert (row["name"], row["digest"]) == (name, first)
    second = asyncio.run(_push_assembled(distribution, built, _without_init(built), "second"))
    assert second != first
    said = cog("build", "-t", "based", "--no-load", "--platform", "linux/amd64").stderr
    assert "of cog.lock" in said
    assert "System tini" in said
    image = json.loads(cog("inspect", "based", "--json").stdout)
    labels = image["config"]["config"]["Labels"]
    assert labels["org.opencontainers.image.base.digest"] == first
    assert labels["run.cog.has_init"] == "true"
    assert image["config"]["config"]["Entrypoint"] == ["/usr/bin/tini", "--"]
    assert "NOTE=first" in image["config"]["config"]["Env"]
    newer = cog("build", "-t", "based", "--no-load", "--platform", "linux/amd64", "--base", name).stderr
    assert f"Base {name}" in newer


def test_without_debian_s_archive_an_image_goes_without_an_init(
    built: Built, distribution: str, tmp_path: Path
) -> None:
    """It says so: nobody asked for one, so it is no reason to build nothing."""
    (tmp_path / "cog.yaml").write_text(PROJECT)
    (tmp_path / "predict.py").write_text(PREDICT)
    asyncio.run(_push_assembled(distribution, built, _without_init(built), "third"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COGYARD_CACHE_DIR", str(built.cache))
        patch.setenv("UV_PYTHON_DOWNLOADS", "never")
        patch.setenv("COGYARD_DEBIAN_MIRROR", "http://127.0.0.1:1/debian")
        told = Recorded()
        image = build(
            load_project(tmp_path), base=f"{distribution}/bases/python:3.11", progress=told, refresh=True
        )
    assert any("the image goes without an init" in each for each in told.warnings)
    config = json.loads(built.store.read(built.store.image(image.reference).manifest.config.digest))
    assert "run.cog.has_init" not in config["config"]["Labels"]
    assert not config["config"].get("Entrypoint")


class Recorded:
    """A Progress that remembers its warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def done(self, text: str) -> None:
        """Pass over a finished step."""

    def detail(self, text: str) -> None:
        """Pass over what goes on."""

    def warn(self, text: str) -> None:
        """Remember a warning."""
        self.warnings.append(text)
