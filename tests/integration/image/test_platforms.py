"""One build for two kinds of machine, pushed with what is said about it to registries that really listen."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import shutil
import struct
import subprocess
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from cogyard.image.attest import IN_TOTO, SPDX
from cogyard.image.build import build
from cogyard.image.push import PushedImage, push
from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.layout import StoredImage
from cogyard.oci.reference import Reference
from cogyard.project import load_project

from tests.integration.image.conftest import CONFIG, PREDICT, Built
from tests.integration.oci.registries import distribution
from tests.integration.registry.conftest import Running, registry

__all__ = ["distribution", "registry"]

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.timeout(600)]
#: ELF's number of a processor, by the architecture's name.
MACHINES = {"amd64": 62, "arm64": 183}
NAME = Reference.parse("both")


@pytest.fixture
def both(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """Build the small project, with a system package, for both architectures."""
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(built.cache))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    (tmp_path / "cog.yaml").write_text(
        CONFIG.replace("  python_packages", "  system_packages: [libmagic1]\n  python_packages")
    )
    (tmp_path / "predict.py").write_text(PREDICT)
    image = build(load_project(tmp_path), base="assemble", tag="both", platform="linux/amd64,linux/arm64")
    return Built(folder=tmp_path, cache=built.cache, store=built.store, image=image)


def machines(built: Built, image: StoredImage) -> set[int]:
    """Return the processors that the programs and libraries of an image are for."""
    found = set()
    for layer in image.manifest.layers:
        data = gzip.decompress(built.store.path(layer.digest).read_bytes())
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                head = file.read(20) if file is not None else b""
                if head.startswith(b"\x7fELF"):
                    found.add(struct.unpack_from("<H", head, 18)[0])
    return found


def test_one_build_for_two_machines(both: Built) -> None:
    """Base, system packages and wheels of each image are for its processor alone; our own layers are shared."""
    images = {image.config.architecture: image for image in both.store.images(NAME)}
    assert set(images) == set(MACHINES)
    for architecture, image in images.items():
        assert machines(both, image) == {MACHINES[architecture]}
        assert "system" in json.loads(image.config.labels["run.cog.layers"]).values()
    layers = [{layer.digest for layer in image.manifest.layers} for image in images.values()]
    assert layers[0] & layers[1]


def test_both_platforms_and_what_is_said_of_them_reach_our_registry(both: Built, registry: Running) -> None:
    """The tag is an index of two images; of each, the registry lists the SPDX document and the provenance."""
    target = Reference.parse(f"{registry.host}/alice/both")

    async def pushing() -> PushedImage:
        me = Credential(username="alice", password="alicealice")
        async with RegistryClient(registry.host, credential=me, insecure=True) as client:
            return await push(both.store, NAME, target, client=client)

    pushed = asyncio.run(pushing())
    assert pushed.digest == both.image.digest
    registry.people.models["alice/both"] = True
    index = _get(f"{registry.url}/v2/alice/both/manifests/latest")
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    for each in index["manifests"]:
        listed = _get(f"{registry.url}/v2/alice/both/referrers/{each['digest']}")["manifests"]
        assert {one["artifactType"] for one in listed} == {SPDX, IN_TOTO}
        manifest = _get(f"{registry.url}/v2/alice/both/manifests/{listed[0]['digest']}")
        assert manifest["subject"]["digest"] == each["digest"]


def test_an_older_registry_gets_the_list_as_a_tag(both: Built, distribution: str) -> None:
    """Distribution 2.8 lists no referrers: the index that stands for the list is written. skopeo reads both images."""
    target = Reference.parse(f"{distribution}/me/both:v1")
    for _ in range(2):  # a second push adds nothing
        asyncio.run(push(both.store, NAME, target))
    image = both.store.image(NAME)
    tag = image.descriptor.digest.replace(":", "-")
    listed = _get(f"http://{distribution}/v2/me/both/manifests/{tag}")["manifests"]
    assert sorted(one["artifactType"] for one in listed) == sorted([SPDX, IN_TOTO])
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    for architecture in MACHINES:
        command = ["skopeo", "--override-arch", architecture, "inspect", "--tls-verify=false"]
        done = subprocess.run([*command, f"docker://{target}"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["Architecture"] == architecture


def _get(url: str) -> Any:
    accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"Accept": accept}), timeout=20
    ) as answer:
        return json.load(answer)
