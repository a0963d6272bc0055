"""Push to and pull from registries that really listen: CNCF Distribution's, and ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.digest import of
from cogyard.oci.errors import (
    RegistryDeniedError,
    RegistryError,
    RegistryNotFoundError,
    RegistryRefusedError,
    RegistryUnreachableError,
)
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import Moved, listed, pull_image, push_image

from tests.integration.oci.registries import distribution, put_image
from tests.integration.registry.conftest import Running, registry

__all__ = ["distribution", "registry"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """Give an empty store."""
    return ImageStore(tmp_path / "images")


async def push(
    store: ImageStore, image: StoredImage, target: str, credential: Credential | None = None
) -> tuple[str, list[str]]:
    """Push an image; return its digest there and how its blobs got there."""
    reference = Reference.parse(target)
    moved: list[Moved] = []
    async with RegistryClient(reference.host, credential=credential) as client:
        digest = await push_image(client, store, image, reference, moved.append)
    return digest, sorted({each.how for each in moved})


async def test_an_image_goes_there_and_back(distribution: str, store: ImageStore, tmp_path: Path) -> None:
    """What is pulled is byte for byte what was pushed, under the same digest."""
    image = put_image(store)
    digest, how = await push(store, image, f"{distribution}/me/hello:v1")
    assert (digest, how) == (image.descriptor.digest, ["uploaded"])
    other = ImageStore(tmp_path / "other")
    async with RegistryClient(distribution) as client:
        pulled = await pull_image(client, other, Reference.parse(f"{distribution}/me/hello:v1"), "amd64")
    assert (pulled.descriptor.digest, pulled.manifest, pulled.config) == (
        digest,
        image.manifest,
        image.config,
    )
    for layer in image.manifest.layers:
        assert other.path(layer.digest).read_bytes() == store.path(layer.digest).read_bytes()


async def test_nothing_is_sent_twice(distribution: str, store: ImageStore) -> None:
    """A second push sends nothing; another repository of the same registry mounts."""
    image = put_image(store)
    await push(store, image, f"{distribution}/me/one")
    assert (await push(store, image, f"{distribution}/me/one"))[1] == ["present"]
    assert (await push(store, image, f"{distribution}/me/two"))[1] == ["mounted"]


async def test_a_stale_memory_of_a_mount_does_no_harm(distribution: str, store: ImageStore) -> None:
    """When the repository remembered as having a blob has it no more, the blob is sent."""
    image = put_image(store)
    for blob in [image.manifest.config, *image.manifest.layers]:
        store.add_origin(blob.digest, f"{distribution}/me/gone")
    assert (await push(store, image, f"{distribution}/me/here"))[1] == ["uploaded"]


@pytest.fixture(params=["ours", "CNCF Distribution"])
def peer(request: pytest.FixtureRequest) -> tuple[str, Callable[[str], None]]:
    """Give each registry, and what makes it lose a blob."""
    if request.param == "ours":
        running: Running = request.getfixturevalue("registry")
        return running.host, lambda digest: _lose(running.behind.folder, digest)
    host: str = request.getfixturevalue("distribution")
    folder: Path = request.getfixturevalue("tmp_path")
    return host, lambda digest: _lose(folder, digest)


def _lose(folder: Path, digest: str) -> None:
    name = digest.removeprefix("sha256:")
    found = [each for each in folder.rglob(f"{name}*") if "images" not in each.relative_to(folder).parts]
    for path in [*found, *(each / "data" for each in found)]:
        if path.is_file():
            path.unlink()


async def test_what_an_earlier_push_sent_is_not_asked_for(
    peer: tuple[str, Callable[[str], None]], store: ImageStore
) -> None:
    """The image that the tag names proves its blobs; what a registry has lost all the same is sent again."""
    host, lose = peer
    me, target = Credential(username="alice", password="cyd_alice"), Reference.parse(f"{host}/alice/model:v1")
    large = os.urandom(3 << 20)
    first = put_image(store, content=large)
    await push(store, first, str(target), me)
    async with RegistryClient(host, credential=me) as client:
        assert await listed(client, Reference.parse(f"{host}/alice/model:none")) == frozenset()
        there = await listed(client, target)
        assert there == {each.digest for each in [first.manifest.config, *first.manifest.layers]}
        lose(first.manifest.layers[0].digest)
        moved: list[Moved] = []
        digest = await push_image(client, store, first, target, moved.append, there=there)
        again = ImageStore(store.root.parent / "again")
        assert digest == (await pull_image(client, again, target, "amd64")).descriptor.digest
    assert [each.how for each in moved].count("uploaded") == 1
    assert moved[0].how == "present"


async def test_skopeo_reads_the_store_and_what_was_pushed(
    distribution: str, store: ImageStore, tmp_path: Path
) -> None:
    """The store is an OCI layout, and the pushed image an ordinary one."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    image = put_image(store)
    await push(store, image, f"{distribution}/me/hello:v1")
    for source in (f"oci:{store.root}:hello:latest", f"docker://{distribution}/me/hello:v1"):
        assert of(_raw_manifest(source)) == image.descriptor.digest


def _raw_manifest(source: str) -> bytes:
    command = ["skopeo", "inspect", "--raw", "--tls-verify=false", source]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_what_is_not_there_is_said_so(distribution: str, store: ImageStore) -> None:
    """A missing tag is not found, a host that does not listen cannot be reached."""
    async with RegistryClient(distribution) as client:
        with pytest.raises(RegistryNotFoundError):
            await pull_image(client, store, Reference.parse(f"{distribution}/me/none"), "amd64")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = f"127.0.0.1:{probe.getsockname()[1]}"
    async with RegistryClient(closed, sleep=_at_once) as client:
        with pytest.raises(RegistryUnreachableError):
            await pull_image(client, store, Reference.parse(f"{closed}/me/none"), "amd64")


async def _at_once(_: float) -> None:
    return None


async def test_our_registry_takes_the_image_as_a_version(registry: Running, store: ImageStore) -> None:
    """A push with a token to one's own name arrives whole, and is seen as a push."""
    image = put_image(store)
    me = Credential(username="alice", password="cyd_alice")
    digest, how = await push(store, image, f"{registry.host}/alice/hello:v1", me)
    assert (digest, how) == (image.descriptor.digest, ["uploaded"])
    assert len(registry.pushes.seen) == 1
    assert (await push(store, image, f"{registry.host}/alice/hello:v2", me))[1] == ["present"]


@pytest.mark.parametrize(
    ("credential", "target", "error"),
    [
        (None, "alice/hello", RegistryRefusedError),
        (Credential(username="alice", password="wrong"), "alice/hello", RegistryRefusedError),
        (Credential(username="alice", password="cyd_alice"), "bob/hello", RegistryDeniedError),
    ],
)
async def test_our_registry_turns_strangers_away(
    registry: Running,
    store: ImageStore,
    credential: Credential | None,
    target: str,
    error: type[RegistryError],
) -> None:
    """No credentials, wrong ones, and other people's names each have an answer of their own, with the next step."""
    with pytest.raises(error) as caught:
        await push(store, put_image(store), f"{registry.host}/{target}", credential)
    # A platform of ours names the next step itself.
    assert caught.value.hint or "Push to alice/hello." in caught.value.message
    assert registry.pushes.seen == []
