"""Layers: valid for everyone's gzip and tar, equal for equal input, and no wheel is recompressed."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable

import pytest
from cogyard.oci.layer import RECORD, CorruptStreamError, LayerSummary, LayerWriter, header, inflate
from hypothesis import given, settings
from hypothesis import strategies as st


def deflate(data: bytes, level: int = 6) -> bytes:
    """Return a raw deflate stream, as a wheel holds it."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def written(fill: Callable[[LayerWriter], None], mtime: int = 0) -> tuple[bytes, LayerSummary]:
    """Return a layer and its summary."""
    sink = io.BytesIO()
    layer = LayerWriter(sink, mtime=mtime)
    fill(layer)
    summary = layer.finish()
    return sink.getvalue(), summary


def everything(layer: LayerWriter) -> None:
    """Write one entry of every kind."""
    layer.directory("a", 0o755)
    layer.file("a/small", b"hello", 0o755)
    layer.file("a/" + "long" * 40, b"x" * 600)
    layer.rewrap("a/wrapped", [deflate(b"wheel" * 1000)], 5000, zlib.crc32(b"wheel" * 1000))
    layer.stream("a/weights", [b"w" * 70_000, b"v"], 70_001, packed=False)
    layer.stream("a/large", [bytes(range(256)) * 4096] * 9, 9 << 20)
    layer.symlink("b", "a/small")
    layer.hardlink("c", "a/small")
    layer.rewrap("empty", [deflate(b"")], 0, 0)
    layer.file("ünï", b"")


def test_the_standard_library_reads_what_was_written() -> None:
    """Gzip and tarfile find every entry with its content, mode, owner and time."""
    data, summary = written(everything)
    plain = gzip.decompress(data)
    assert summary.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert summary.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert (summary.size, summary.plain_size) == (len(data), len(plain))
    assert len(plain) % RECORD == 0
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        members = {member.name: member for member in archive}
        content = {
            name: file.read()
            for name in members
            if members[name].isreg() and (file := archive.extractfile(name))
        }
    assert content == {
        "a/small": b"hello",
        "a/" + "long" * 40: b"x" * 600,
        "a/wrapped": b"wheel" * 1000,
        "a/weights": b"w" * 70_000 + b"v",
        "a/large": bytes(range(256)) * 4096 * 9,
        "empty": b"",
        "ünï": b"",
    }
    assert (members["b"].linkname, members["c"].linkname, members["a"].isdir()) == (
        "a/small",
        "a/small",
        True,
    )
    assert members["a/small"].mode == 0o755
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in members.values()} == {
        (0, 0, "", "", 0)
    }


def test_equal_input_gives_equal_bytes() -> None:
    """Two writers of the same entries agree in every byte; another time of entries does not."""
    assert written(everything) == written(everything)
    assert written(everything, mtime=1)[1].digest != written(everything)[1].digest


def test_a_deflate_stream_is_kept_as_it_is() -> None:
    """The compressed bytes of a wheel's file stand unchanged inside the layer."""
    raw = deflate(bytes(range(256)) * 500, level=1)
    data, _ = written(lambda layer: layer.rewrap("f", [raw], 128_000, zlib.crc32(bytes(range(256)) * 500)))
    assert raw in data


@pytest.mark.parametrize(
    ("raw", "size", "crc"),
    [
        (deflate(b"hello"), 4, zlib.crc32(b"hello")),
        (deflate(b"hello"), 6, zlib.crc32(b"hello")),
        (deflate(b"hello"), 5, 1),
        (deflate(b"hello")[:-1], 5, zlib.crc32(b"hello")),
        (deflate(b"hello") + b"more", 5, zlib.crc32(b"hello")),
        (b"not deflate at all", 5, 0),
        (b"", 0, 0),
        (deflate(b"\0" * 10_000_000), 100, 0),
    ],
)
def test_a_broken_stream_is_refused(raw: bytes, size: int, crc: int) -> None:
    """A stream that does not unpack to exactly what its directory says never becomes a layer."""
    with pytest.raises(CorruptStreamError):
        written(lambda layer: layer.rewrap("f", [raw], size, crc))


def test_a_file_that_changes_size_is_refused() -> None:
    """A file that grew or shrank while it was read would break the tar, so it is refused."""
    for data, packed in ((b"12345", True), (b"123", True), (b"12345", False), (b"123", False)):
        with pytest.raises(CorruptStreamError):
            written(lambda layer, data=data, packed=packed: layer.stream("f", [data], 4, packed=packed))  # type: ignore[misc]


@settings(max_examples=50)
@given(st.binary(max_size=5000), st.integers(0, 9), st.integers(1, 700))
def test_any_content_survives_in_any_pieces(data: bytes, level: int, piece: int) -> None:
    """Whatever the content, its compression and the pieces it comes in, the same bytes come out."""
    raw = deflate(data, level)
    pieces = [raw[at : at + piece] for at in range(0, len(raw), piece)]
    layer, _ = written(lambda writer: writer.rewrap("f", pieces, len(data), zlib.crc32(data)))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as archive:
        file = archive.extractfile("f")
        assert file is not None
        assert file.read() == data


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_inflater(raw: bytes) -> None:
    """Foreign bytes are a stream or refused, never more than the limit."""
    try:
        total = sum(len(plain) for _, plain in inflate("f", [raw], 1000))
    except CorruptStreamError:
        return
    assert total <= 1000


def test_a_known_diff_id_saves_unpacking() -> None:
    """The same bytes come out, with nothing inflated to hash it: not even a stream that cannot be."""
    data, summary = written(everything)
    sink = io.BytesIO()
    layer = LayerWriter(sink, diff_id=summary.diff_id)
    everything(layer)
    assert layer.finish() == summary
    assert sink.getvalue() == data
    blind = LayerWriter(io.BytesIO(), diff_id=summary.diff_id)
    blind.rewrap("broken", [b"\xff" * 10], 5, 0)
    assert blind.finish().diff_id == summary.diff_id


def test_a_whole_archive_is_copied() -> None:
    """A tar made elsewhere is compressed as it is, to the same bytes each time."""
    plain = gzip.decompress(written(everything)[0])
    sinks = [io.BytesIO(), io.BytesIO()]
    first, second = (LayerWriter(sink).copy([plain[:1000], plain[1000:]]) for sink in sinks)
    assert gzip.decompress(sinks[0].getvalue()) == plain
    assert first == second
    assert first.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert first.plain_size == len(plain)


@given(
    path=st.text(st.sampled_from("ab./é \udc80"), min_size=1, max_size=110).map(
        lambda each: each.strip("/") or "a"
    ),
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
    size=st.integers(0, 8**12),
    mode=st.sampled_from([0o644, 0o755, 0o104755]),
    mtime=st.integers(-1, 8**12),
    target=st.text(st.sampled_from("xy./"), max_size=110),
)
def test_a_header_is_what_tarfile_writes(
    *, path: str, kind: bytes, size: int, mode: int, mtime: int, target: str
) -> None:
    """To the byte, whichever way it was made."""
    path = f"{path}/" if kind == tarfile.DIRTYPE else path
    assert header(path, kind, size=size, mode=mode, mtime=mtime, target=target) == of_tarfile(
        path, kind, size=size, mode=mode, mtime=mtime, target=target
    )


@pytest.mark.parametrize("length", [99, 100, 101, 981, 982, 983, 984, 985, 992, 9_980, 9_990, 9_991, 70_000])
@pytest.mark.parametrize("letter", ["a", "é", "\x7f"])
def test_a_long_name_is_written_as_tarfile_writes_it(length: int, letter: str) -> None:
    """Also where the length of a PAX record, which counts its own digits, is about to need one more."""
    for fields in ({"path": letter * length, "target": ""}, {"path": "link", "target": letter * length}):
        found = header(**fields, kind=tarfile.SYMTYPE, size=0, mode=0o777, mtime=0)
        assert found == of_tarfile(**fields, kind=tarfile.SYMTYPE, size=0, mode=0o777, mtime=0)


def of_tarfile(path: str, kind: bytes, *, size: int, mode: int, mtime: int, target: str) -> bytes:
    """Return an entry's header as the standard library writes it."""
    info = tarfile.TarInfo(path)
    info.type, info.size, info.mode, info.mtime, info.linkname = kind, size, mode, mtime, target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
