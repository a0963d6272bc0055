"""A model on a base of Ubuntu 24.04, made of its real archive; skipped where that cannot be reached.

No registry, no engine and no root makes it: what runs it, and what its own dpkg and apt say of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cogyard.environment import ResolvingFailedError
from cogyard.image.bases.choose import find_base
from cogyard.image.bases.pin import pin_base
from cogyard.image.build import build, local_store
from cogyard.image.errors import DebianError, DownloadError, NeedsScriptsError
from cogyard.image.platforms import architecture_of, local_platform
from cogyard.image.site import Site
from cogyard.image.steps.engine import Means
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.project import load_project

from tests.integration.image.conftest import CONFIG, PREDICT, Built, project
from tests.integration.image.test_anywhere import (
    image,
    podman,
    test_bubblewrap,
    test_docker,
    test_podman,
)

#: The same three run this image, with the same output: their tests are this module's too, with its `built`.
__all__ = ["image", "podman", "test_bubblewrap", "test_docker", "test_podman"]
pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("images"),
]
NOBLE = CONFIG.replace('"3.11"', '"3.12"').replace(
    "  python_packages", "  system_packages: [apt, espeak-ng, libsndfile1]\n  python_packages"
)
BASE = "assemble:noble"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Build the small project on Ubuntu, with packages that people name and with apt."""
    with project(tmp_path_factory, NOBLE) as (folder, cache):
        try:
            made = build(load_project(folder), base=BASE, means=Means(builder="direct"))
        except (DownloadError, ResolvingFailedError, DebianError) as error:
            pytest.skip(f"no archive of Ubuntu, or no package index: {error.message}")
        yield Built(folder=folder, cache=cache, store=local_store(), image=made)


def test_the_base_is_the_same_again(built: Built, tmp_path: Path) -> None:
    """Put together once more from the same packages, it has the same digest; and its Python is Ubuntu's."""
    first = built.image.images[0].base
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "debian").symlink_to(built.cache / "debian")
    site = Site(store=ImageStore(tmp_path / "images"), cache=tmp_path / "cache")
    again = find_base(BASE, "3.12", architecture_of(local_platform()), site)
    assert again.layers == first.layers
    assert (again.name, again.python, again.codename, again.release) == (
        "ubuntu:noble",
        "/usr/bin/python3.12",
        None,
        "noble",
    )


def test_a_lock_names_the_base_and_the_reason(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its release and its digest, whether the base was asked for or is what is left without a registry."""
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(built.cache))
    site = Site(store=built.store, cache=built.cache)
    project, digest = load_project(built.folder), built.image.images[0].base.layers[0].descriptor.digest
    monkeypatch.setenv("COGYARD_BASE", BASE)
    named = pin_base(project, local_platform(), site)
    monkeypatch.delenv("COGYARD_BASE")
    monkeypatch.setenv("COGYARD_REGISTRY_MIRROR", "127.0.0.1:1")
    unasked = pin_base(project, local_platform(), site)
    assert {(each.name, each.digest) for each in (named, unasked)} == {(BASE, digest)}
    assert "made of Ubuntu's packages, since no registry" in unasked.because


def test_dpkg_and_apt_find_nothing_amiss(image: StoredImage, podman: str) -> None:
    """Every record is consistent; and apt installs more, from the archive that the image itself names."""

    def inside(script: str) -> str:
        command = [podman, "run", "--rm", "--network", "host", "--entrypoint", "sh", image.name, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    records = "set -e; dpkg --audit; dpkg -V; apt-get check -qq; apt-get -qq -s install -f;"
    assert inside(f"{records} espeak-ng --version | cut -c1-9") == "eSpeak NG\n"
    finds = "python3 -c \"import ctypes.util; print(ctypes.util.find_library('sndfile'))\""
    assert inside(finds) == "libsndfile.so.1\n"
    quick = "-o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any"
    reached = f"apt-get {quick} update -qq >/log 2>&1 || {{ tail -1 /log; exit 0; }}"
    install = "apt-get install -qqy --no-install-recommends jq >/log 2>&1 || { cat /log; exit 1; }"
    said = inside(f"{reached}; {install}; {records} jq --version; dpkg-query -W jq >/dev/null")
    if not said.startswith("jq-"):
        pytest.skip(f"a container does not reach the archive: {said.strip()[:200]}")


def test_what_needs_its_scripts_is_named(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the line that we do not run; and a package that there is not, with one that is."""
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(built.cache))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    (tmp_path / "predict.py").write_text(PREDICT)

    def wish(package: str) -> None:
        (tmp_path / "cog.yaml").write_text(NOBLE.replace("apt, espeak-ng, libsndfile1", package))
        build(load_project(tmp_path), base=BASE, means=Means(builder="direct"))

    with pytest.raises(NeedsScriptsError, match=r"the system package git-lfs .*git lfs install"):
        wish("git-lfs")
    with pytest.raises(DebianError, match="Ubuntu has no package 'libsndfile2'") as caught:
        wish("libsndfile2")
    assert "libsndfile1" in (caught.value.hint or "")
