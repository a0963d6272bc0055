"""The project folder of one instance, from shared layers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.instances.errors import ImageRefusedError
from cogyard.instances.tree import assemble


def _layer(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / "src" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o444)
    return folder


def test_source_is_copied_and_weights_are_shared(tmp_path: Path) -> None:
    """An instance may write beside its code without touching another's; weights take no second place on disk."""
    source = _layer(tmp_path / "s", predict="code", sub__a="1")
    weights = _layer(tmp_path / "w", weights__net="weights")
    assemble([(weights, True), (source, False)], tmp_path / "project")
    (tmp_path / "project/predict").write_text("changed")
    assert (source / "src/predict").read_text() == "code"
    assert (tmp_path / "project/weights/net").samefile(weights / "src/weights/net")


def test_a_higher_layer_wins(tmp_path: Path) -> None:
    """The same name in two layers is the higher one's."""
    low, high = _layer(tmp_path / "1", a="low", b="low"), _layer(tmp_path / "2", a="high")
    assemble([(low, True), (high, False)], tmp_path / "project")
    assert (tmp_path / "project/a").read_text() == "high"
    assert (low / "src/a").read_text() == "low"


def test_links_stay_links(tmp_path: Path) -> None:
    """A link inside the project is kept as it is written."""
    source = _layer(tmp_path / "s", a="1")
    (source / "src/b").symlink_to("a")
    assemble([(source, False)], tmp_path / "project")
    assert (tmp_path / "project/b").readlink() == Path("a")


@pytest.mark.parametrize("kind", ["link", "file"])
def test_no_layer_writes_through_another(tmp_path: Path, kind: str) -> None:
    """A link or file of one layer where another has a folder is refused, not followed."""
    low, high = tmp_path / "1", _layer(tmp_path / "2", d__evil="x")
    (low / "src").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    if kind == "link":
        (low / "src/d").symlink_to(tmp_path / "outside")
    else:
        (low / "src/d").write_text("")
    with pytest.raises(ImageRefusedError, match="disagree"):
        assemble([(low, False), (high, False)], tmp_path / "project")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_layer_without_a_project_adds_nothing(tmp_path: Path) -> None:
    """Only what is below /src is the project."""
    (tmp_path / "l/opt").mkdir(parents=True)
    assemble([(tmp_path / "l", False)], tmp_path / "project")
    assert list((tmp_path / "project").iterdir()) == []
