"""Files become layers, the same ones for the same files, and come out of them again; of hostile ones nothing does."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.oci.descriptor import LAYER, LAYER_GZIP
from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore
from cogyard.testing.compressed import zstd
from cogyard.weights.artifact import Artifact, WeightFile, WeightLayer
from cogyard.weights.errors import ArtifactInvalidError, FilesMissingError, SourceError
from cogyard.weights.files import WeightFiles
from cogyard.weights.packing import Member, body_of, pack, plan
from cogyard.weights.unpack import take_layer

MIB = 1 << 20


@pytest.fixture
def files(tmp_path: Path) -> WeightFiles:
    """Give an empty place for files."""
    return WeightFiles(tmp_path / "weights")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """Give an empty image store."""
    return ImageStore(tmp_path / "images")


def member(path: str, size: int) -> Member:
    """Make a member of whatever content."""
    return Member(path=path, size=size, digest=of(path.encode()))


def kept(files: WeightFiles, **contents: bytes) -> tuple[Member, ...]:
    """Keep files; return them as members."""
    made = []
    for path, data in contents.items():
        digest, size = files.add([data])
        made.append(Member(path=path.replace("__", "/"), size=size, digest=digest))
    return tuple(made)


def test_small_files_share_layers_and_large_ones_are_alone() -> None:
    """Sorted by path; a bundle ends before it would be larger than it may."""
    members = [
        member("b", 100 * MIB),
        member("z", 60 * MIB),
        member("a", 50 * MIB),
        member("c", 64 * MIB),
        member("d", 1),
    ]
    found = [[each.path for each in layer] for layer in plan(members, bundle=100 * MIB)]
    assert found == [["a", "d"], ["z"], ["b"], ["c"]]
    assert plan(reversed(members), bundle=100 * MIB) == plan(members, bundle=100 * MIB)


def test_a_bundle_is_a_deterministic_gzip_tar(files: WeightFiles, store: ImageStore) -> None:
    """Plain names, fixed modes, no times and no owners; folders before what is in them."""
    members = kept(files, b__two=b"2" * 3000, a=b"1")
    packed = pack(tuple(sorted(members, key=lambda each: each.path)), files.path, store)
    assert packed.layer.media_type == LAYER_GZIP
    assert packed.layer.plain_size == 3001
    with tarfile.open(
        fileobj=io.BytesIO(gzip.decompress(store.path(packed.layer.digest).read_bytes()))
    ) as tar:
        found = [(each.name, each.mode, each.mtime, each.uid, each.gid, each.uname) for each in tar]
    assert found == [("b", 0o755, 0, 0, 0, ""), ("a", 0o644, 0, 0, 0, ""), ("b/two", 0o644, 0, 0, 0, "")]
    other = ImageStore(store.root.parent / "other")
    assert pack(packed.members, files.path, other).layer == packed.layer


def test_a_large_file_is_read_where_it_is(files: WeightFiles, store: ImageStore) -> None:
    """Its layer is not written anywhere, and what is read is a tar of it, from any position on."""
    (one,) = kept(files, **{f"{'d' * 60}__{'e' * 60}": bytes(range(256)) * 40})
    packed = pack((one,), files.path, store, alone=1000)
    assert packed.layer.media_type == LAYER
    assert not list((store.root / "blobs/sha256").iterdir())
    body = body_of(one, files.path(one.digest))
    whole = b"".join(body.chunks(777))
    assert (of(whole), len(whole), body.size) == (packed.layer.digest, packed.layer.size, packed.layer.size)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        found = tar.getmembers()
        assert [each.name for each in found] == ["d" * 60, one.path]
        source = tar.extractfile(found[1])
        assert source is not None
        assert source.read() == bytes(range(256)) * 40
    with body.open() as reader:
        for start in (0, 1, 600, 5000, len(whole) - 3, len(whole)):
            reader.seek(start)
            assert whole[start : start + 100].startswith(reader.read(100))


def test_a_file_that_became_shorter_is_told(tmp_path: Path) -> None:
    """A layer is never filled up with something else."""
    path = tmp_path / "f"
    path.write_bytes(b"short")
    body = body_of(Member(path="f", size=4000, digest=of(b"")), path)
    with pytest.raises(EOFError, match="shorter than 4000"):
        list(body.chunks())


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Make a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Make a tar's header."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def artifact_of(data: bytes, **contents: bytes) -> Artifact:
    """Make the artifact that says these files are in the layer of these bytes."""
    layer = WeightLayer(digest=of(data), media_type=LAYER, size=len(data), plain_size=0)
    files = tuple(
        WeightFile(path=path.replace("__", "/"), layer=layer.digest, size=len(content), digest=of(content))
        for path, content in contents.items()
    )
    return Artifact(name="base", target="/src/w", files=files, layers=(layer,))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd])
def test_a_layer_gives_its_files(files: WeightFiles, compress: Callable[[bytes], bytes]) -> None:
    """However it is compressed, and whatever folders are in it."""
    data = compress(tar_of((info("d", tarfile.DIRTYPE), b""), (info("./d/one"), b"1"), (info("two"), b"22")))
    artifact = artifact_of(data, d__one=b"1", two=b"22")
    take_layer(io.BytesIO(data), of(data), artifact, files)
    folder = files.folder(artifact.files)
    assert {
        str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()
    } == {
        "d/one": b"1",
        "two": b"22",
        ".cog/ready": b"",
    }
    assert (folder / "two").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tar_of((info("../one"), b"1")), "do not list it there"),
        (tar_of((info("/one"), b"1")), "do not list it there"),
        (tar_of((info("one"), b"1"), (info("one"), b"1")), "do not list it there"),
        (tar_of((info("other"), b"1")), "do not list it there"),
        (tar_of((info("one", tarfile.SYMTYPE, "/etc/passwd"), b"")), "neither a file nor a folder"),
        (tar_of((info("one", tarfile.LNKTYPE, "two"), b"")), "neither a file nor a folder"),
        (tar_of((info("one", tarfile.CHRTYPE), b"")), "neither a file nor a folder"),
        (tar_of((info("one", tarfile.FIFOTYPE), b"")), "neither a file nor a folder"),
        (tar_of((info("one"), b"12")), "has 2 bytes, not 1"),
        (tar_of((info("one"), b"2")), "a file of weights is"),
        (tar_of((info("d", tarfile.DIRTYPE), b"")), "lacks 'one'"),
        (tar_of((info("one"), b"1"))[:600], "lacks 'one'|cannot be read"),
        (tar_of(*[(info(f"d{number}", tarfile.DIRTYPE), b"") for number in range(2000)]), "more than"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 600, "cannot be read"),
        (gzip.compress(bytes(64 * MIB)), "lacks 'one'|more than|cannot be read"),
        (b"not a tar at all" * 100, "cannot be read"),
    ],
)
def test_what_a_layer_must_not_hold_is_refused(files: WeightFiles, data: bytes, words: str) -> None:
    """Nothing of it is a file of weights then, and nothing half-made stays."""
    artifact = artifact_of(data, one=b"1")
    with pytest.raises(ArtifactInvalidError, match=words):
        take_layer(io.BytesIO(data), of(data), artifact, files)
    assert not list(files.root.glob("unfinished-*"))


def test_a_bomb_ends_at_what_its_files_can_need(files: WeightFiles) -> None:
    """A member's own size is believed only if it is the one that was listed; zeros between members are counted."""
    padded = tar_of((info("one"), b"1")).rstrip(b"\0")
    data = gzip.compress(padded + bytes(512) + tar_of((info("two"), b"2")) + bytes(200 * MIB))
    take_layer(
        io.BytesIO(data), of(data), artifact_of(data, one=b"1"), files
    )  # the archive ends at its first zeros
    header = info("x" * 100)
    header.pax_headers = {"comment": "y" * (3 * MIB)}
    big = tarfile.TarInfo("one")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(header)
        archive.addfile(big)
    with pytest.raises(ArtifactInvalidError, match=r"larger than the|more than the"):
        take_layer(
            io.BytesIO(out.getvalue()), of(out.getvalue()), artifact_of(out.getvalue(), one=b""), files
        )


def test_a_set_is_links_to_files_that_are_there_once(files: WeightFiles) -> None:
    """Two sets that share a file share its bytes; the same set is the same folder."""
    one = artifact_of(b"", a=b"same", b=b"x").files
    two = artifact_of(b"", c=b"same").files
    for data in (b"same", b"x"):
        files.add([data])
    first, second = files.folder(one), files.folder(two)
    assert (first / "a").samefile(second / "c")
    assert files.folder(one) == first
    assert first != second


def test_a_set_that_lacks_files_says_which(files: WeightFiles) -> None:
    """And how they are had."""
    with pytest.raises(FilesMissingError, match="1 of 1 files are not here, 'a'") as raised:
        files.folder(artifact_of(b"", a=b"1").files)
    assert raised.value.hint == "`cog weights pull` fetches them."


def test_what_is_not_wanted_any_more_goes(files: WeightFiles) -> None:
    """Sets that are neither kept nor young, and the files that are in no set then; the others stay."""
    old, keep = artifact_of(b"", a=b"old", b=b"both").files, artifact_of(b"", a=b"keep", b=b"both").files
    for data in (b"old", b"both", b"keep"):
        files.add([data])
    gone, stays = files.folder(old), files.folder(keep)
    kept_name = f"sha256:{stays.name}"
    assert files.collect([kept_name], older_than=3600) == 0
    time.sleep(0.05)  # what has been wanted since is young
    assert files.collect([kept_name], older_than=0) == len(b"old")
    assert not gone.exists()
    assert (stays / "a").read_bytes() == b"keep"


def test_a_source_s_file_is_read_once(files: WeightFiles, tmp_path: Path) -> None:
    """As long as nothing of it changes; what is not readable is said so."""
    path = tmp_path / "f"
    path.write_bytes(b"content")
    digest, size = files.add_file(path, "f")
    assert (digest, size) == (of(b"content"), 7)
    seen = list((files.root / "seen").iterdir())
    assert files.add_file(path, "f") == (digest, size)
    assert list((files.root / "seen").iterdir()) == seen
    path.write_bytes(b"CONTENT")
    assert files.add_file(path, "f")[0] == of(b"CONTENT")
    with pytest.raises(SourceError, match="gone cannot be read"):
        files.add_file(tmp_path / "gone", "gone")
