"""What the commands of `run` installed is among the image's packages: in the label, and in what is attached."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from cogyard.image.errors import EngineArchiveError
from cogyard.image.layers import MadeLayer
from cogyard.image.site import Site
from cogyard.image.steps.freeze import with_steps
from cogyard.image.steps.installed import installed_by_steps
from cogyard.oci.descriptor import LAYER_GZIP, Descriptor
from cogyard.oci.layout import ImageStore

PLACE = "opt/cog/model/lib/python3.13/site-packages"
FREEZE = "Jinja2==3.1.6\nmarkupsafe==3.0.2\nown @ file:///own.whl"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a store and a cache."""
    return Site(store=ImageStore(tmp_path / "images"), cache=tmp_path / "cache")


def layer(site: Site, *names: str, kind: str = "run") -> MadeLayer:
    """Keep a layer of empty files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    packed = gzip.compress(out.getvalue(), mtime=0)
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=site.store.write(packed), size=len(packed))
    return MadeLayer(kind=kind, title="pip install …", descriptor=descriptor, diff_id="", made=True)


def test_steps_packages_are_read_from_the_names_in_their_layers(site: Site) -> None:
    """What a step added, replaced and took away, the last step counting; nothing outside of the model's environment."""
    first = layer(
        site,
        f"{PLACE}/Foo_Bar-1.0.dist-info/METADATA",
        f"{PLACE}/.wh.jinja2-3.1.6.dist-info",
        f"{PLACE}/jinja2-3.1.7.dist-info/METADATA",
        f"{PLACE}/.wh.markupsafe-3.0.2.dist-info",
        "usr/lib/python3/dist-packages/other-1.dist-info/METADATA",
        f"{PLACE}/foo/bar-2.dist-info/METADATA",
    )
    second = layer(site, f"{PLACE}/foo_bar-1.1.dist-info/METADATA", f"{PLACE}/own-2.dist-info/.wh.METADATA")
    other = layer(site, f"{PLACE}/not-1.dist-info/METADATA", kind="packages")
    changed = installed_by_steps([other, first, second], site)
    assert changed == {"foo-bar": "1.1", "jinja2": "3.1.7", "markupsafe": None, "own": None}
    assert with_steps(FREEZE, changed) == "foo-bar==1.1\njinja2==3.1.7"
    site.store.path(first.descriptor.digest).unlink()
    assert installed_by_steps([first, second], site) == changed  # each layer is read once


def test_without_steps_the_list_is_the_lock_s() -> None:
    """To the byte, so that the image's digest stays."""
    assert with_steps(FREEZE, {}) == FREEZE
    assert with_steps(FREEZE, {"markupsafe": "3.0.2"}).splitlines() == FREEZE.splitlines()


def test_a_layer_that_cannot_be_read_is_told(site: Site) -> None:
    """By the step that made it."""
    broken = layer(site)
    site.store.path(broken.descriptor.digest).write_bytes(b"\x1f\x8b broken")
    with pytest.raises(EngineArchiveError, match="pip install"):
        installed_by_steps([broken], site)
