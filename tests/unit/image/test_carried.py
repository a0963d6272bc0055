"""What stands beside an image travels in its archive: weights, and the documents that are attached."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from cogyard.image.archive import write_archive
from cogyard.image.carried import Beside
from cogyard.image.contents import ArchiveError
from cogyard.image.expected import index_of, keep, kept
from cogyard.image.load import Loaded, load
from cogyard.oci.config import ImageConfig, RootFs
from cogyard.oci.descriptor import CONFIG, LAYER, MANIFEST, Descriptor, Platform
from cogyard.oci.digest import of
from cogyard.oci.joined import Joined
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.reference import Reference
from cogyard.weights.artifact import Artifact, WeightFile, is_entry
from cogyard.weights.content import layer_content
from cogyard.weights.errors import ArtifactInvalidError, FilesMissingError
from cogyard.weights.files import WeightFiles
from cogyard.weights.packing import Member, pack

NAME = Reference.parse("a.example/me/model:v1")
SMALL, LARGE = b"small words", b"large weights" * 1000


@dataclass
class Machine:
    """A machine with an image store and a place for weights."""

    store: ImageStore
    files: WeightFiles

    @property
    def image(self) -> StoredImage:
        """The image."""
        return self.store.image(NAME)

    def saved(self, *, weights: bool = True) -> bytes:
        """Return the image as `cog save` writes it."""
        out = io.BytesIO()
        beside = Beside.of(self.store, self.image, self.files if weights else None)
        write_archive(self.store, self.image, out, beside=beside)
        return out.getvalue()

    def load(self, data: bytes) -> Loaded:
        """Take the only image of an archive."""
        (loaded,) = load(self.store, io.BytesIO(data), architecture="amd64", files=self.files)
        return loaded

    def weights(self) -> Artifact:
        """Return the weights that stand beside the image."""
        (found,) = kept(self.store, filter(is_entry, self.image.beside))
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Machine]:
    """Make machines by name."""
    return lambda name: Machine(
        ImageStore(tmp_path / name / "images"), WeightFiles(tmp_path / name / "weights")
    )


@pytest.fixture
def ours(machine: Callable[[str], Machine]) -> Machine:
    """Give a machine with an image, weights of a small and a large file, and something attached."""
    made = machine("ours")
    store = made.store
    layer = Descriptor(media_type=LAYER, digest=store.write(b"layer"), size=5)
    data = encode(ImageConfig(architecture="amd64", os="linux", rootfs=RootFs(diff_ids=[of(b"layer")])))
    own = Descriptor(media_type=CONFIG, digest=store.write(data), size=len(data))
    image, document = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[layer]), MANIFEST
    )
    store.write(document)
    artifact = artifact_of(made)
    store.tag(
        NAME, index_of(store, image, Platform(os="linux", architecture="amd64"), keep(store, [artifact]))
    )
    note = Descriptor(media_type="text/plain", digest=store.write(b"about"), size=5)
    about = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        artifact_type="text/x-note",
        config=note,
        layers=[note],
        subject=image,
    )
    store.attach(image.digest, [about])
    return made


def artifact_of(machine: Machine) -> Artifact:
    """Keep the weights' files and the layer of the small one; the layer of the large one is in no store."""
    packed = []
    for path, content in (("lists/words.txt", SMALL), ("net/model.bin", LARGE)):
        digest, size = machine.files.add([content])
        packed.append(
            pack(
                (Member(path=path, size=size, digest=digest),), machine.files.path, machine.store, alone=1000
            )
        )
    files = [
        WeightFile(path=each.path, layer=one.layer.digest, size=each.size, digest=each.digest)
        for one in packed
        for each in one.members
    ]
    layers = tuple(one.layer for one in packed)
    return Artifact(name="base", target="/src/weights", files=tuple(files), layers=layers)


def edited(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """Return an archive with the members changed, or left out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            if (content := change(member.name, file.read())) is not None:
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    return out.getvalue()


def without(artifact: Artifact, number: int) -> Callable[[str, bytes], bytes | None]:
    """Leave out a layer of weights."""
    gone = artifact.layers[number].digest.removeprefix("sha256:")
    return lambda name, content: None if name.endswith(gone) else content


def test_an_archive_brings_the_weights_back(ours: Machine, machine: Callable[[str], Machine]) -> None:
    """On a machine that has never seen them: every file, the same index, and every layer can be sent on."""
    artifact, theirs = ours.weights(), machine("theirs")
    loaded = theirs.load(ours.saved())
    assert (loaded.reference, loaded.carried.weights, loaded.carried.lacking) == (NAME, (artifact,), ())
    assert theirs.store.names()[NAME.familiar].digest == ours.store.names()[NAME.familiar].digest
    assert theirs.weights() == artifact
    folder = theirs.files.folder(artifact.files)
    assert (folder / "lists/words.txt").read_bytes() == SMALL
    assert (folder / "net/model.bin").read_bytes() == LARGE
    theirs.store.prune()
    for layer in artifact.layers:
        content = layer_content(artifact, layer, theirs.files, theirs.store)
        assert content is not None
        data = b"".join(content.chunks()) if isinstance(content, Joined) else content.read_bytes()
        assert of(data) == layer.digest


def test_what_is_large_is_kept_once(ours: Machine, machine: Callable[[str], Machine]) -> None:
    """The layer of one large file goes when its file is kept: the two can be made of each other."""
    theirs = machine("theirs")
    theirs.load(ours.saved())
    here = {layer.plain_size: theirs.store.path(layer.digest).exists() for layer in ours.weights().layers}
    assert here == {len(SMALL): True, len(LARGE): False}


def test_the_same_archive_every_time(ours: Machine, machine: Callable[[str], Machine]) -> None:
    """Saved, loaded elsewhere and saved again, it is the same to the byte."""
    theirs, data = machine("theirs"), ours.saved()
    theirs.load(data)
    assert theirs.saved() == data


def test_weights_can_be_left_out(ours: Machine, machine: Callable[[str], Machine]) -> None:
    """The image still names them: who has the files lacks nothing, and who has not is told."""
    data, theirs = ours.saved(weights=False), machine("theirs")
    assert len(data) < len(LARGE) + 20_000
    loaded = theirs.load(data)
    assert [each.name for each in loaded.carried.lacking] == ["base"]
    assert theirs.weights() == ours.weights()
    artifact_of(theirs)
    assert theirs.load(data).carried.lacking == ()


def test_what_is_attached_stays_attached(ours: Machine, machine: Callable[[str], Machine]) -> None:
    """What is said about an image is there where it is loaded."""
    theirs = machine("theirs")
    theirs.load(ours.saved())
    ((_, about),) = theirs.store.referrers(theirs.image.descriptor.digest)
    assert about.artifact_type == "text/x-note"
    assert theirs.store.read(about.layers[0].digest) == b"about"


def test_what_is_attached_here_is_not_replaced(ours: Machine, machine: Callable[[str], Machine]) -> None:
    """A file that somebody sends cannot change what is said about an image that is here."""
    theirs, digest = machine("theirs"), ours.image.descriptor.digest
    ((_, mine),) = ours.store.referrers(digest)
    theirs.load(ours.saved())
    theirs.store.attach(digest, [msgspec.structs.replace(mine, artifact_type="text/x-lie")])
    ours.load(theirs.saved())
    assert [manifest for _, manifest in ours.store.referrers(digest)] == [mine]


def test_weights_that_are_not_here_are_not_saved_by_halves(ours: Machine) -> None:
    """It is said what brings them, and how to save without."""
    large = ours.weights().files[1]
    ours.files.path(large.digest).unlink()
    with pytest.raises(FilesMissingError) as error:
        ours.saved()
    assert "--no-weights" in str(error.value.hint)
    assert ours.saved(weights=False)


@pytest.mark.parametrize("number", [0, 1])
def test_an_archive_that_lacks_a_layer_is_refused(
    ours: Machine, machine: Callable[[str], Machine], number: int
) -> None:
    """It is cut short, not written without weights; nothing has a name then."""
    theirs = machine("theirs")
    with pytest.raises(ArchiveError, match="does not hold"):
        theirs.load(edited(ours.saved(), without(ours.weights(), number)))
    assert theirs.store.names() == {}


def test_files_are_what_they_are_said_to_be(ours: Machine, machine: Callable[[str], Machine]) -> None:
    """A layer that holds other files than its weights list is refused, and nothing of it is kept."""
    theirs, artifact = machine("theirs"), ours.weights()
    listed = artifact.files[1]
    lied = Artifact(
        name="base", target="/src/weights", layers=artifact.layers,
        files=(artifact.files[0], WeightFile(path=listed.path, layer=listed.layer, size=listed.size, digest=of(b"x"))),
    )  # fmt: skip
    where = Platform(os="linux", architecture="amd64")
    ours.store.tag(NAME, index_of(ours.store, ours.image.descriptor, where, keep(ours.store, [lied])))
    data = ours.saved(weights=False)
    layers = {each.digest: layer_content(artifact, each, ours.files, ours.store) for each in artifact.layers}
    out = io.BytesIO(data)
    with tarfile.open(fileobj=out, mode="a") as archive:
        for digest, content in layers.items():
            assert content is not None
            body = b"".join(content.chunks()) if isinstance(content, Joined) else content.read_bytes()
            info = tarfile.TarInfo(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    with pytest.raises(ArtifactInvalidError):
        theirs.load(out.getvalue())
    assert theirs.store.names() == {}
    assert theirs.files.missing(artifact.files[1:]) != ()
