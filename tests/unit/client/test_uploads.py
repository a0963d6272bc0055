"""Files of every kind on their way to the platform."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from replicate.helpers import base64_encode_file, encode_json

from tests.unit.client.test_client import BASE, client_of


class Taking:
    """Takes uploads, and keeps the requests' bodies."""

    def __init__(self, *refused: int) -> None:
        """Refuse the first with these statuses."""
        self._refused = list(refused)
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Take one."""
        self.bodies.append(request.read())
        if self._refused:
            return httpx2.Response(self._refused.pop(0), headers={"retry-after": "0"})
        return httpx2.Response(201, json={"id": "f", "urls": {"get": f"{BASE}/v1/files/f"}})


@pytest.fixture
def kinds(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Give the bytes "héé" as every kind of file."""
    path = tmp_path / "ä文.txt"
    content = "héé".encode()
    path.write_bytes(content)
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    with (
        path.open("rb") as binary,
        path.open(encoding="ascii") as text,
        os.fdopen(read, "rb") as pipe,
        tempfile.TemporaryFile() as unnamed,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        for file in (unnamed, spooled):
            file.write(content)
        yield {
            "path": path,
            "open": binary,
            "opened as text": text,
            "pipe": pipe,
            "without a name, at its end": unnamed,
            "spooled": spooled,
            "bytes": content,
            "bytearray": bytearray(content),
            "memoryview": memoryview(content),
            "BytesIO": io.BytesIO(content),
            "StringIO": io.StringIO("héé"),
        }


def test_every_kind_of_file_sends_its_bytes(kinds: dict[str, Any]) -> None:
    """From its beginning, whatever was read of it before; what was given open stays open."""
    for name, file in kinds.items():
        taking = Taking()
        assert encode_json({"a": [file]}, client_of(taking)) == {"a": [f"{BASE}/v1/files/f"]}, name
        assert "héé".encode() in taking.bodies[0], name
        assert not getattr(file, "closed", False), name


def test_a_file_given_twice_is_sent_whole_twice(kinds: dict[str, Any]) -> None:
    """In one input or in two, uploaded or as a data URL."""
    taking = Taking()
    file = kinds["open"]
    encode_json([file, file], client_of(taking))
    assert all("héé".encode() in body for body in taking.bodies)
    assert base64_encode_file(file) == base64_encode_file(file) == "data:text/plain;base64,aMOpw6k="


def test_names_and_types_come_from_the_path(kinds: dict[str, Any]) -> None:
    """A name that is not ASCII goes as it is; one that is given goes instead."""
    taking = Taking()
    client = client_of(taking)
    client.files.create(kinds["path"])
    client.files.create(kinds["path"], filename="b.png", metadata={"a": 1})
    client.files.create(kinds["BytesIO"])
    assert 'filename="ä文.txt"\r\nContent-Type: text/plain'.encode() in taking.bodies[0]
    assert b'filename="b.png"\r\nContent-Type: image/png' in taking.bodies[1]
    assert b'{"a": 1}' in taking.bodies[1]
    assert b'filename="file"\r\nContent-Type: application/octet-stream' in taking.bodies[2]


def test_progress_is_told_and_begins_anew_with_the_upload() -> None:
    """Bytes sent and in all; a refused upload is sent again, whole."""
    taking, told = Taking(503), list[tuple[int, int]]()
    size = 200_000
    client_of(taking).files.create(bytes(size), progress=lambda sent, of: told.append((sent, of)))
    once = [(65_536, size), (131_072, size), (196_608, size), (size, size)]
    assert told == [*once, *once]
    assert len(taking.bodies) == 2


def test_what_is_no_file_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """A number, a generator, a closed file and a path that is not there."""
    taking = Taking()
    files = client_of(taking).files
    with pytest.raises(ValueError, match="got int"):
        files.create(5)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match="got generator"):
        files.create(piece for piece in [b"a"])  # type: ignore[arg-type]  # as above
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        files.create(closed)
    with pytest.raises(FileNotFoundError):
        files.create(tmp_path / "none")
    assert not taking.bodies


def test_inputs_without_files_become_json() -> None:
    """Generators, sets, tuples and ranges are lists, arrays are what `tolist` gives, keys are text."""

    class Array:
        def tolist(self) -> list[int]:
            return [7]

    given = {"g": (item for item in [1, {2}]), "t": (3, range(2)), "n": Array(), 5: None}
    encoded = encode_json(given, client_of(Taking()))
    assert encoded == {"g": [1, [2]], "t": [3, [0, 1]], "n": [7], "5": None}
