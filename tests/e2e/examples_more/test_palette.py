"""Several outputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from tests.e2e.examples_more.project import Example

pytestmark = [pytest.mark.slow, pytest.mark.network]


def test_a_picture_is_taken_apart(example: Callable[[str], Example]) -> None:
    """One file, a list of files and a dict come out; the stencils cover each pixel once, as the shares say."""
    palette = example("palette")
    answer = palette.written("-i", "image=@input.jpg", "-i", "colors=5")
    shares = answer["shares"]
    assert len(shares) == len(answer["layers"]) == 5
    assert sum(shares.values()) == pytest.approx(1, abs=0.001)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    covered = 0
    for name, share in zip(answer["layers"], shares.values(), strict=True):
        with Image.open(palette.outputs / name) as layer:
            assert layer.size == (480, 320)
            black = layer.histogram()[0]
        assert black / (480 * 320) == pytest.approx(share, abs=0.0001)
        covered += black
    assert covered == 480 * 320
    with Image.open(palette.outputs / answer["poster"]) as poster:
        counted = poster.getcolors(16)
    assert counted is not None
    assert {"#" + bytes(color).hex() for _, color in counted if isinstance(color, tuple)} == set(shares)


def test_fewer_colors_than_wanted_are_no_error(example: Callable[[str], Example]) -> None:
    """A picture of two colours has two layers, whatever is asked for; the colours are exact."""
    palette = example("palette")
    picture = Image.new("RGB", (40, 10), "#102030")
    picture.paste("#f0e0d0", (0, 0, 10, 10))
    picture.save(palette.outputs / "two.png")
    answer = palette.written("-i", f"image=@{palette.outputs}/two.png", "-i", "colors=4")
    assert answer["shares"] == {"#102030": 0.75, "#f0e0d0": 0.25}
    assert len(answer["layers"]) == 2
