"""Weights in registries that really listen: CNCF Distribution's, and ours; sent, fetched, shared and collected."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cogyard.oci.authorization import Scope
from cogyard.oci.descriptor import INDEX, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.errors import RegistryError
from cogyard.oci.flows import push_blob, push_manifest
from cogyard.oci.layout import ImageStore
from cogyard.oci.manifest import Index, encode
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import Moved, push_image
from cogyard.project.values import Weights as Declared
from cogyard.weights.artifact import Artifact
from cogyard.weights.errors import ArtifactInvalidError, FilesMissingError
from cogyard.weights.files import WeightFiles
from cogyard.weights.importing import Importer
from cogyard.weights.transfer import Weights, lacking, look
from cogyard.weights.wishes import wish_of

from tests.integration.oci.registries import client, distribution, host, put_image
from tests.integration.registry.conftest import Running, registry, running

__all__ = ["distribution", "host", "registry"]

pytestmark = pytest.mark.anyio
LARGE = bytes(range(256)) * 800


class Machine:
    """Somebody's machine: an image store, the files of weights, and what moved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.moved: list[Moved] = []
        self.store = ImageStore(folder / "images")
        self.weights = Weights(
            files=WeightFiles(folder / "weights"), store=self.store, on_moved=self.moved.append
        )

    def import_(self, **contents: bytes) -> Artifact:
        """Import weights from a folder; the large file is alone in a layer."""
        source = self.folder / "project" / "w"
        for path, data in contents.items():
            place = source / path.replace("__", "/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        importer = Importer(
            project=self.folder / "project",
            files=self.weights.files,
            store=self.store,
            environment={},
            now="",
            progress=lambda _line: None,
            alone=len(LARGE),
        )
        return importer.run(wish_of(Declared(name="base", target="/src/w", source={"uri": "./w"}))).artifact

    def how(self) -> list[str]:
        """Return how the layers came to be there since the last time, sorted."""
        found = sorted(each.how for each in self.moved)
        self.moved.clear()
        return found


async def test_weights_go_there_and_come_back_elsewhere(host: str, tmp_path: Path) -> None:
    """Every file, by way of a bundle and a layer of its own; a second time nothing is sent or fetched."""
    one, two = Machine(tmp_path / "1"), Machine(tmp_path / "2")
    artifact = one.import_(config__a=b"small", big=LARGE)
    target = Reference.parse(f"{host}/alice/model")
    async with client(host) as registry:
        entry = await one.weights.push(registry, artifact, target)
        assert one.how() == ["uploaded", "uploaded"]
        await one.weights.push(registry, artifact, target)
        assert one.how() == ["present", "present"]
        assert not await lacking(registry, artifact, target)
        assert (await look(registry, target, entry.digest)).manifest() == artifact.manifest()
        fetched = await two.weights.pull(registry, target, entry.digest)
        assert two.how() == ["pulled", "pulled"]
        await two.weights.pull(registry, target, entry.digest)
        assert two.how() == []
    folder = two.weights.files.folder(fetched.files)
    assert {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()} == {
        ".cog/ready", "big", "config/a",
    }  # fmt: skip
    assert (folder / "big").read_bytes() == LARGE
    assert not list((two.store.root / "blobs" / "sha256").iterdir())


async def test_a_second_model_with_the_same_weights_sends_nothing(host: str, tmp_path: Path) -> None:
    """Not one layer: the registry takes them from the first."""
    one = Machine(tmp_path)
    artifact = one.import_(a=b"small", big=LARGE)
    async with client(host) as registry:
        await one.weights.push(registry, artifact, Reference.parse(f"{host}/alice/model"))
        one.moved.clear()
        await one.weights.push(registry, artifact, Reference.parse(f"{host}/alice/other"))
    assert one.how() == ["mounted", "mounted"]


async def test_a_new_version_of_weights_sends_what_changed(host: str, tmp_path: Path) -> None:
    """The large file's layer is there already."""
    one, target = Machine(tmp_path), Reference.parse(f"{host}/alice/model")
    async with client(host) as registry:
        await one.weights.push(registry, one.import_(a=b"small", big=LARGE), target)
        one.moved.clear()
        await one.weights.push(registry, one.import_(a=b"other", big=LARGE), target)
    assert one.how() == ["present", "uploaded"]


async def test_weights_that_nobody_has_are_told(host: str, tmp_path: Path) -> None:
    """With what to do; the registry then has no manifest that lacks layers."""
    one, other = Machine(tmp_path / "1"), Machine(tmp_path / "2")
    artifact, target = one.import_(a=b"small", big=LARGE), Reference.parse(f"{host}/alice/model")
    async with client(host) as registry:
        with pytest.raises(FilesMissingError, match="neither in the registry nor on this machine") as raised:
            await other.weights.push(registry, artifact, target)
        assert raised.value.hint == "cog weights import base"
        assert artifact.entry().digest in await lacking(registry, artifact, target)


async def test_weights_that_somebody_else_packed_can_be_sent_on(host: str, tmp_path: Path) -> None:
    """Their layers cannot be made again of their files, so a whole pull keeps them; ours that can are not kept."""
    one, two = Machine(tmp_path / "1"), Machine(tmp_path / "2")
    ours = one.import_(a=b"small", big=LARGE)
    small = next(each for each in ours.layers if each.media_type == LAYER_GZIP)
    packed = gzip.compress(gzip.decompress(one.store.path(small.digest).read_bytes()), 1)
    theirs = replace(
        ours,
        files=tuple(
            msgspec.structs.replace(each, layer=of(packed)) if each.layer == small.digest else each
            for each in ours.files
        ),
        layers=tuple(
            replace(each, digest=of(packed), size=len(packed)) if each is small else each
            for each in ours.layers
        ),
    )
    assert one.store.write(packed) != small.digest
    source, target = Reference.parse(f"{host}/alice/model"), Reference.parse(f"{host}/alice/copy")
    async with client(host) as registry:
        entry = await one.weights.push(registry, theirs, source)
        await two.weights.pull(registry, source, entry.digest)
        artifact = await two.weights.pull(registry, source, entry.digest, whole=True)
        kept = [each.name for each in (two.store.root / "blobs" / "sha256").iterdir()]
        assert kept == [of(packed).removeprefix("sha256:")]
        two.moved.clear()
        async with client(host) as other:
            await two.weights.push(other, artifact, target)
    assert set(two.how()) <= {"uploaded", "mounted"}


async def test_a_layer_that_is_not_what_is_said_is_not_taken(host: str, tmp_path: Path) -> None:
    """A stranger's artifact whose layer holds another file gives no file at all."""
    one, other = Machine(tmp_path / "1"), Machine(tmp_path / "2")
    honest, target = one.import_(a=b"right"), Reference.parse(f"{host}/alice/model")
    lie = json.loads(honest.config())
    lie["files"][0]["digest"] = f"sha256:{'0' * 64}"
    lie["setDigest"] = honest.set_digest
    async with client(host) as registry:
        await one.weights.push(registry, honest, target)
        config = json.dumps(lie).encode()
        manifest = json.loads(honest.manifest())
        manifest["config"] |= {"digest": of(config), "size": len(config)}
        blob = Descriptor(media_type="x/y", digest=of(config), size=len(config))
        scope = Scope(repository=target.repository, actions="pull,push")
        await registry.run(lambda: push_blob(target.repository, blob, config), scope)
        data = json.dumps(manifest).encode()
        digest = await registry.run(lambda: push_manifest(target.repository, "lie", data, MANIFEST), scope)
        with pytest.raises(ArtifactInvalidError, match="say that their files are"):
            await other.weights.pull(registry, target, digest)
    assert not list(other.folder.glob("weights/files/*/*"))


async def _push_bundle(machine: Machine, artifact: Artifact, target: Reference) -> str:
    """Push an image with weights beside it; return the index's digest."""
    image = put_image(machine.store, "one")
    async with client(target.host) as registry:
        entry = await machine.weights.push(registry, artifact, target)
        await push_image(registry, machine.store, image, target, tagged=False)
        index = encode(Index(schema_version=2, media_type=INDEX, manifests=[image.descriptor, entry]))
        scope = Scope(repository=target.repository, actions="pull,push")
        return await registry.run(lambda: push_manifest(target.repository, "latest", index, INDEX), scope)


async def test_weights_that_an_index_names_are_kept_and_others_collected(
    registry: Running, tmp_path: Path
) -> None:
    """However old they are; those that no index names go with their tag and their layers, after a day."""
    one, target = Machine(tmp_path / "m"), Reference.parse(f"{registry.host}/alice/model")
    named = one.import_(a=b"named", big=LARGE)
    await _push_bundle(one, named, target)
    lone = one.import_(a=b"lone", big=LARGE)
    async with client(registry.host) as connection:
        await one.weights.push(connection, lone, target)
        await registry.behind.collect(now=datetime.now(UTC))
        assert not await lacking(connection, lone, target)
        held = await registry.behind.repositories.held("alice")
        await registry.behind.collect(now=datetime.now(UTC) + timedelta(days=2))
        assert not await lacking(connection, named, target)
        only = {each.digest for each in lone.layers} - {each.digest for each in named.layers}
        assert await lacking(connection, lone, target) == {lone.entry().digest, *only}
    assert await registry.behind.repositories.held("alice") < held


@pytest.fixture
def small_registry(tmp_path: Path) -> Iterator[Running]:
    """Run a registry where nobody may hold much."""
    with running(tmp_path / "registry", quota=len(LARGE)) as found:
        yield found


async def test_weights_count_against_the_quota(small_registry: Running, tmp_path: Path) -> None:
    """As every blob does, once an owner."""
    one, target = Machine(tmp_path / "m"), Reference.parse(f"{small_registry.host}/alice/model")
    async with client(target.host) as connection:
        with pytest.raises(RegistryError, match="bytes they may hold"):
            await one.weights.push(connection, one.import_(big=LARGE), target)


async def test_an_index_without_its_weights_is_refused(registry: Running, tmp_path: Path) -> None:
    """What it names must be there, so a version never lacks its weights."""
    one, target = Machine(tmp_path), Reference.parse(f"{registry.host}/alice/model")
    artifact, image = one.import_(a=b"x"), put_image(one.store, "one")
    async with client(registry.host) as connection:
        await push_image(connection, one.store, image, target, tagged=False)
        index = encode(
            Index(schema_version=2, media_type=INDEX, manifests=[image.descriptor, artifact.entry()])
        )
        scope = Scope(repository=target.repository, actions="pull,push")
        with pytest.raises(RegistryError, match="does not have with that size"):
            await connection.run(lambda: push_manifest(target.repository, "latest", index, INDEX), scope)
