"""What remembers an open upload, in memory and in a file, keeps the same promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.oci.pending import Pending, PendingInFile, PendingInMemory, Place


@pytest.fixture(params=["memory", "file"])
def pending(request: pytest.FixtureRequest, tmp_path: Path) -> Pending:
    """Give each in turn."""
    return PendingInMemory() if request.param == "memory" else PendingInFile(tmp_path / "uploads" / "x")


def test_the_last_place_is_remembered_until_it_is_forgotten(pending: Pending) -> None:
    """At first there is none; forgetting twice is no error."""
    assert pending.find() is None
    pending.forget()
    for place in (Place(location="/a"), Place(location="https://b.example/c?sig=1", largest=7)):
        pending.keep(place)
        assert pending.find() == place
    pending.forget()
    pending.forget()
    assert pending.find() is None


def test_the_file_is_its_owners_and_any_other_content_is_nothing(tmp_path: Path) -> None:
    """An address may be as good as a token; a damaged file costs a whole upload, not the push."""
    path = tmp_path / "uploads" / "x"
    PendingInFile(path).keep(Place(location="/a"))
    assert path.stat().st_mode & 0o077 == 0
    for content in (b"", b"{", b'{"location": 7}', b"x" * 100_000):
        path.write_bytes(content)
        assert PendingInFile(path).find() is None
    folder = tmp_path / "file"
    folder.write_text("")
    PendingInFile(folder / "x").keep(Place(location="/a"))
    assert PendingInFile(folder / "x").find() is None
