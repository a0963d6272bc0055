"""The folder that an engine builds an image from without us."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.image.steps.context import have_folder


def test_a_folder_that_was_made_in_vain_goes_again(tmp_path: Path) -> None:
    """With the folders above it that were made for it: nobody takes half of it for the whole."""
    with pytest.raises(OSError, match="full"):
        _fill_in_vain(tmp_path / "a/b")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    """What somebody keeps in it is theirs."""
    (tmp_path / "notes").touch()
    with pytest.raises(OSError, match="full"), have_folder(tmp_path), have_folder(tmp_path / "layers"):
        raise OSError("full")
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]
    with have_folder(tmp_path / "layers"):
        pass
    assert (tmp_path / "layers").is_dir()


def _fill_in_vain(folder: Path) -> None:
    with have_folder(folder), have_folder(folder / "layers"):
        (folder / "layers/01.tar.gz").touch()
        raise OSError("full")
