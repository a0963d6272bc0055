"""Text in pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.e2e.examples_more.project import Example

pytestmark = [pytest.mark.slow, pytest.mark.network]
SIGN = """\
HARBOUR CAFE
Open daily from 7:30 to 18:00
Coffee with milk
3.20
Green tea
2.80
Apple cake
4.50
Cheese sandwich
6.90
Please order at the counter"""


def test_it_reads_the_words_and_says_where_they_are(example: Callable[[str], Example]) -> None:
    """Every line of the sign is read, spaces included, and lies where it was drawn; the marked picture shows it."""
    ocr = example("ocr")
    answer = ocr.written("-i", "image=@input.jpg")
    assert answer["text"] == SIGN
    lines = {line["text"]: line for line in answer["lines"]}
    assert min(line["confidence"] for line in lines.values()) > 0.8
    left, right = (lines[text]["corners"][0][0] for text in ("Green tea", "2.80"))
    assert left < 150
    assert right > 550
    assert lines["HARBOUR CAFE"]["corners"][0][1] < lines["Please order at the counter"]["corners"][0][1]
    with Image.open(ocr.outputs / answer["marked"]) as marked, Image.open(ocr.folder / "input.jpg") as sign:
        assert marked.size == sign.size
        x, y = lines["HARBOUR CAFE"]["corners"][0]
        red, green, _ = marked.convert("RGB").crop((x, y, x + 1, y + 1)).tobytes()
        assert red > 200
        assert green < 100


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_lines_that_run_up_or_down_are_read(
    example: Callable[[str], Example], tmp_path: Path, turn: Image.Transpose
) -> None:
    """A picture that lies on its side is read nearly as well."""
    ocr = example("ocr")
    with Image.open(ocr.folder / "input.jpg") as sign:
        sign.transpose(turn).save(tmp_path / "turned.png")
    found = {line["text"] for line in ocr.written("-i", f"image=@{tmp_path}/turned.png")["lines"]}
    assert {"HARBOUR CAFE", "Cheese sandwich", "Apple cake", "Green tea", "6.90"} <= found


def test_a_picture_without_text_has_none(example: Callable[[str], Example], tmp_path: Path) -> None:
    """Nothing is made up, on a very narrow picture too."""
    picture = Image.new("RGB", (300, 3), "white")
    ImageDraw.Draw(picture).line((0, 1, 300, 1), fill="grey")
    picture.save(tmp_path / "narrow.png")
    answer = example("ocr").written("-i", f"image=@{tmp_path}/narrow.png")
    assert (answer["text"], answer["lines"]) == ("", [])


def test_what_is_no_picture_is_refused(example: Callable[[str], Example]) -> None:
    """The model's own reason reaches the user."""
    done = example("ocr").cog("predict", "-i", "image=@README.md")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not a picture that can be read" in done.stderr.splitlines()[-1]
