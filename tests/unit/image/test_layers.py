"""Layers of a project: made once, found again, and changed exactly when what is in them changes."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cogyard.image.bases.base import Base
from cogyard.image.download import Downloader
from cogyard.image.errors import SourceUnreadableError
from cogyard.image.layers import LayerMaker, MadeLayer
from cogyard.image.plan import PlannedLayer
from cogyard.image.wheels.layout import Layout
from cogyard.image.wheels.selected import Selected
from cogyard.oci.config import RunConfig
from cogyard.oci.digest import of_file
from cogyard.oci.layout import ImageStore
from cogyard.project.ignore import SourceFile

MakeWheel = Callable[..., Path]
BASE = Base(
    name="b",
    architecture="amd64",
    layers=(),
    run=RunConfig(),
    python="/usr/bin/python3.11",
    python_version="3.11",
)

NOISE = random.Random(1).randbytes(200_000)  # noqa: S311 - the same for every run


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """Give an empty store."""
    return ImageStore(tmp_path / "images")


def make(
    store: ImageStore, planned: PlannedLayer, *, lock: str = "lock", schema: bytes = b"{}", epoch: int = 0
) -> MadeLayer:
    """Make a layer with an own cache beside the store."""
    cache = store.root.parent / "cache"
    with Downloader(cache / "downloads") as downloader:
        maker = LayerMaker(store, cache, BASE, downloader, lock=lock, schema=schema, epoch=epoch)
        made = maker.make(planned)
    assert made is not None
    return made


def content(store: ImageStore, layer: MadeLayer) -> dict[str, bytes | str]:
    """Return a layer's files and links by path."""
    data = gzip.decompress(store.path(layer.descriptor.digest).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found: dict[str, bytes | str] = {}
        for member in archive:
            if member.issym():
                found[member.name] = member.linkname
            elif member.isreg() and (file := archive.extractfile(member)):
                found[member.name] = file.read()
        return found


def written(root: Path, files: dict[str, bytes], *, weights: bool = False) -> tuple[SourceFile, ...]:
    """Write files and describe them as a project's."""
    found = []
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        found.append(SourceFile(path=path, name=name, size=len(data), is_weights=weights))
    return tuple(found)


def source(*files: SourceFile) -> PlannedLayer:
    """Plan the layer of the source."""
    return PlannedLayer(kind="source", title="files", files=files)


def test_source_lies_under_src_with_the_schema(store: ImageStore, tmp_path: Path) -> None:
    """The project's files and the schema are where spec/image.md says."""
    files = written(tmp_path / "p", {"predict.py": b"x", "lib/a.txt": b"y"})
    link = SourceFile(path=tmp_path / "l", name="link", size=0, is_weights=False, link="predict.py")
    layer = make(store, source(*files, link), schema=b'{"openapi":"3"}')
    assert content(store, layer) == {
        "src/.cog/openapi_schema.json": b'{"openapi":"3"}',
        "src/lib/a.txt": b"y",
        "src/link": "predict.py",
        "src/predict.py": b"x",
    }
    assert (layer.descriptor.annotations or {})["run.cog.layer"] == "source"


def test_strange_names_and_absolute_links_hold_in_the_image(store: ImageStore, tmp_path: Path) -> None:
    """A name that is no UTF-8 stays as it is, and a link to an absolute path of this machine becomes relative."""
    folder = tmp_path / "p"
    folder.mkdir()
    strange = "caf\udce9.bin"
    files = written(folder, {strange: b"x", "a/b.txt": b"y"})
    (folder / "link").symlink_to(folder / "a" / "b.txt")
    link = SourceFile(
        path=folder / "link", name="link", size=0, is_weights=False, link=str(folder / "a" / "b.txt")
    )
    planned = PlannedLayer(kind="source", title=strange, files=(*files, link))
    layer = make(store, planned)
    found = content(store, layer)
    assert (found["src/link"], found[f"src/{strange}"]) == ("a/b.txt", b"x")
    assert (layer.descriptor.annotations or {})["run.cog.layer.title"] == "caf?.bin"


def test_an_empty_folder_is_one_whatever_time_it_has(store: ImageStore, tmp_path: Path) -> None:
    """A folder of the source that holds nothing is in the layer, and is known again when its time changed."""
    (tmp_path / "outputs").mkdir()
    folder = SourceFile(path=tmp_path / "outputs", name="outputs", size=0, is_weights=False, is_folder=True)
    first = make(store, source(folder))
    os.utime(tmp_path / "outputs", (1, 1))
    assert make(store, source(folder)).made is False
    data = gzip.decompress(store.path(first.descriptor.digest).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getmember("src/outputs").isdir()


def test_a_layer_is_made_once(store: ImageStore, tmp_path: Path) -> None:
    """The second time it is found, unless the store has lost it."""
    planned = source(*written(tmp_path / "p", {"a.py": b"1"}))
    first, second = make(store, planned), make(store, planned)
    assert (first.made, second.made, first.descriptor) == (True, False, second.descriptor)
    store.path(first.descriptor.digest).unlink()
    again = make(store, planned)
    assert (again.made, again.descriptor) == (True, first.descriptor)


def test_an_edit_of_the_same_length_is_seen(store: ImageStore, tmp_path: Path) -> None:
    """A change that keeps size and time of modification is found by the time of change."""
    files = written(tmp_path / "p", {"a.py": b"1"})
    before = make(store, source(*files))
    state = files[0].path.stat()
    files[0].path.write_bytes(b"2")
    os.utime(files[0].path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert make(store, source(*files)).descriptor.digest != before.descriptor.digest


def test_the_same_files_elsewhere_and_later_give_the_same_layer(store: ImageStore, tmp_path: Path) -> None:
    """Only names, contents and executability count: no times, owners or places."""
    one = make(store, source(*written(tmp_path / "p", {"a.py": b"1", "b/c": b"2"})))
    os.utime(tmp_path / "p" / "a.py", (1, 1))
    other_store = ImageStore(tmp_path / "elsewhere" / "images")
    two = make(other_store, source(*reversed(written(tmp_path / "q", {"a.py": b"1", "b/c": b"2"}))))
    assert one.descriptor == two.descriptor
    (tmp_path / "q" / "a.py").chmod(0o755)
    assert (
        make(other_store, source(*written(tmp_path / "q", {"a.py": b"1", "b/c": b"2"}))).descriptor
        != one.descriptor
    )


def test_source_date_epoch_is_every_entrys_time(store: ImageStore, tmp_path: Path) -> None:
    """Who wants other times than the epoch's gets another layer, with them."""
    planned = source(*written(tmp_path / "p", {"a.py": b"1"}))
    plain, dated = make(store, planned), make(store, planned, epoch=86_400)
    assert plain.descriptor != dated.descriptor
    data = gzip.decompress(store.path(dated.descriptor.digest).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert {member.mtime for member in archive} == {86_400}


def test_large_files_are_streamed(store: ImageStore, tmp_path: Path) -> None:
    """Weights come through whole and uncompressed."""
    files = written(tmp_path / "p", {"w.bin": os.urandom(3 << 20)}, weights=True)
    layer = make(store, PlannedLayer(kind="weights", title="w", files=files))
    assert content(store, layer)["src/w.bin"] == files[0].path.read_bytes()


def test_a_file_that_changes_or_goes_away_ends_the_build(store: ImageStore, tmp_path: Path) -> None:
    """Half of a file is never packed."""
    files = written(tmp_path / "p", {"w.bin": b"x" * (2 << 20)}, weights=True)
    planned = PlannedLayer(kind="weights", title="w", files=files)
    files[0].path.write_bytes(b"x" * (2 << 20) + b"more")
    with pytest.raises(SourceUnreadableError, match="changed while"):
        make(store, planned)
    files[0].path.unlink()
    with pytest.raises(SourceUnreadableError, match=r"w\.bin"):
        make(store, planned)


def test_the_lock_is_a_layer_of_its_own(store: ImageStore) -> None:
    """It stands where the platform looks for it, and changes with the lock."""
    planned = PlannedLayer(kind="lock", title="lock")
    layer = make(store, planned, lock="one")
    assert content(store, layer) == {"opt/cog/pylock.toml": b"one"}
    assert make(store, planned, lock="two").descriptor != layer.descriptor


def test_a_package_layer_needs_its_wheel_only_once(store: ImageStore, make_wheel: MakeWheel) -> None:
    """Known by the wheel's hash, the layer is found even when the wheel is gone."""
    path = make_wheel({"demo.py": b"x"})
    selected = Selected(
        name="demo",
        version="1.0",
        filename=path.name,
        sha256=of_file(path).removeprefix("sha256:"),
        size=1,
        url=None,
        path=str(path),
    )
    planned = PlannedLayer(
        kind="package", title="demo", layout=Layout(root="opt/cog/model", python="3.11"), wheels=(selected,)
    )
    first = make(store, planned)
    assert "opt/cog/model/lib/python3.11/site-packages/demo.py" in content(store, first)
    path.unlink()
    assert make(store, planned).descriptor == first.descriptor


def test_what_is_compressed_already_is_stored_as_it_is(store: ImageStore, tmp_path: Path) -> None:
    """A wheel or a picture beside the source is not deflated again at every edit; text of the same size is."""
    noise, text = NOISE, b"A line of a vocabulary.\n" * 9000
    files = {"predict.py": b"pass\n", "a.whl": noise, "vocabulary.txt": text}
    layer = make(store, source(*written(tmp_path / "project", files)))
    assert content(store, layer)["src/a.whl"] == noise
    assert content(store, layer)["src/vocabulary.txt"] == text
    blob = store.path(layer.descriptor.digest).read_bytes()
    assert noise[:50_000] in blob
    assert len(blob) < len(noise) + 10_000


def test_a_small_file_is_compressed_whatever_it_holds(store: ImageStore, tmp_path: Path) -> None:
    """Nothing is looked at where compressing takes no time."""
    noise = NOISE[:40_000]
    layer = make(store, source(*written(tmp_path / "project", {"icon.png": noise + bytes(20_000)})))
    assert layer.descriptor.size < 41_000


def test_what_is_there_is_found_without_being_made(store: ImageStore, tmp_path: Path) -> None:
    """A build looks for layers first, and begins a thread only for those that are to be made."""
    planned = source(*written(tmp_path / "project", {"predict.py": b"pass\n"}))
    with Downloader(tmp_path / "downloads") as downloader:
        maker = LayerMaker(store, tmp_path / "cache", BASE, downloader, lock="", schema=b"{}", epoch=0)
        assert maker.find(planned) == (False, None)
        made = maker.make(planned)
        assert made is not None
        assert made.made
        there, found = maker.find(planned)
        assert there
        assert found == msgspec.structs.replace(made, made=False)
        store.path(made.descriptor.digest).unlink()
        assert maker.find(planned) == (False, None)
