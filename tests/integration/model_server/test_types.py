"""Each type that an author may write, from the caller's JSON to Python and back, through the real server and worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_server.live import serving

HEAD = """
import dataclasses, datetime, decimal, enum, typing, uuid
from typing import *
import cog
from cog import BaseModel, Input, Path, Secret

class Style(enum.Enum):
    FAST = "fast"
    SLOW = "slow"
class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2
@dataclasses.dataclass
class Box:
    x: int
    y: float = 0
    when: Optional[datetime.date] = None
class Point(NamedTuple):
    x: int
    y: int = 5
class Td(TypedDict, total=False):
    a: int
    style: Style
class Deep(BaseModel):
    boxes: list[Box]
    by: dict[str, Point] = {}
"""
#: Annotation, what a caller sends, and what Python shows of it.
TAKEN: list[tuple[str, Any, str]] = [
    ("Literal['a', 2]", 2, "2"),
    ("Style", "slow", "<Style.SLOW: 'slow'>"),
    ("Level", 2, "<Level.HIGH: 2>"),
    ("Box", {"x": 1, "y": 2, "when": "2026-11-26"}, "Box(x=1, y=2.0, when=datetime.date(2026, 11, 26))"),
    ("Point", {"x": 1}, "Point(x=1, y=5)"),
    ("Td", {"a": 1, "style": "fast"}, "{'a': 1, 'style': <Style.FAST: 'fast'>}"),
    (
        "Deep",
        {"boxes": [{"x": 1}], "by": {"p": {"x": 2, "y": 3}}},
        "Deep(boxes=[Box(x=1, y=0, when=None)], by={'p': Point(x=2, y=3)})",
    ),
    ("list[list[int]]", [[1, 2], []], "[[1, 2], []]"),
    ("dict[str, list[float]]", {"a": [1, 2.5]}, "{'a': [1.0, 2.5]}"),
    ("tuple[int, str]", [1, "a"], "(1, 'a')"),
    ("tuple[Style, ...]", ["fast", "slow"], "(<Style.FAST: 'fast'>, <Style.SLOW: 'slow'>)"),
    ("set[int]", [3, 3], "{3}"),
    ("Union[int, str]", "1", "'1'"),
    ("Union[str, Path]", "text", "'text'"),
    ("Union[int, Path]", "data:text/plain;base64,aGk=", "Path:hi"),
    ("list[Union[Path, int]]", [7, "data:text/plain;base64,aGk="], "[7, Path:hi]"),
    ("Optional[Path]", "data:text/plain;base64,aGk=", "Path:hi"),
    ("Optional[list[str]]", None, "None"),
    ("datetime.datetime", "2026-11-26T15:04:05Z", "datetime.datetime(2026, 11, 26, 15, 4, 5, tzinfo="),
    ("datetime.time", "15:04:05", "datetime.time(15, 4, 5)"),
    ("uuid.UUID", "123e4567-e89b-12d3-a456-426614174000", "UUID('123e4567-e89b-12d3-a456-426614174000')"),
    ("int", 123456789012345678901234567890, "123456789012345678901234567890"),
    ("float", 0.1234567890123456789, "0.12345678901234568"),
    ("float", 2, "2.0"),
    ("Any", {"a": [None, 1e300]}, "{'a': [None, 1e+300]}"),
    ("Secret", "hush", "Secret('**********')"),
]
TAKE = """
def shown(value):
    if isinstance(value, Path):
        return "Path:" + value.read_text()
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(value)
class Predictor:
    def predict(self, {parameters}) -> str:
        return "\\n".join(shown(one) for one in [{names}])
"""


def test_every_type_arrives_as_what_it_is(tmp_path: Path) -> None:
    """A caller's JSON is in Python what the annotation says, with every digit."""
    names = [f"p{number}" for number in range(len(TAKEN))]
    parameters = ", ".join(f"{name}: {kind}" for name, (kind, _, _) in zip(names, TAKEN, strict=True))
    (tmp_path / "predict.py").write_text(HEAD + TAKE.format(parameters=parameters, names=", ".join(names)))
    with serving(tmp_path) as server:
        found = server.result({name: sent for name, (_, sent, _) in zip(names, TAKEN, strict=True)})
        assert found["error"] is None, found
        for (kind, _, expected), line in zip(TAKEN, found["output"].split("\n"), strict=True):
            assert line.startswith(expected), kind


@pytest.mark.parametrize(
    ("kind", "sent", "place"),
    [
        ("tuple[int, str]", ["a", 1], ["p", 0]),
        ("tuple[int, str]", [1], ["p"]),
        ("datetime.datetime", "yesterday", ["p"]),
        ("list[datetime.date]", ["2026-11-26", "2026-02-30"], ["p", 1]),
        ("Box", {"y": 1}, ["p", "x"]),
        ("dict[str, Level]", {"a": 3}, ["p", "a"]),
        ("Union[int, Path]", "/etc/passwd", ["p"]),
    ],
)
def test_what_is_of_another_type_is_refused_where_it_stands(
    tmp_path: Path, kind: str, sent: Any, place: list[str | int]
) -> None:
    """The refusal names the very place, before the model sees anything."""
    (tmp_path / "predict.py").write_text(HEAD + TAKE.format(parameters=f"p: {kind}", names="p"))
    with serving(tmp_path) as server:
        refused = server.post({"p": sent})
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", "input", *place]


#: Annotation, expression, and the JSON that a caller gets.
GIVEN: list[tuple[str, str, Any]] = [
    ("Optional[str]", "None", None),
    ("Optional[Path]", "None", None),
    ("Style", "Style.FAST", "fast"),
    ("Box", "Box(1)", {"x": 1, "y": 0, "when": None}),
    ("Deep", "Deep(boxes=[Box(1)])", {"boxes": [{"x": 1, "y": 0, "when": None}], "by": {}}),
    ("tuple[int, str]", "(1, 'a')", [1, "a"]),
    ("set[int]", "{1}", [1]),
    ("dict[str, tuple[int, ...]]", "{'a': (1, 2)}", {"a": [1, 2]}),
    ("datetime.datetime", "datetime.datetime(2026, 11, 26, 15)", "2026-11-26T15:00:00"),
    ("Any", "datetime.timedelta(minutes=1)", 60.0),
    ("uuid.UUID", "uuid.UUID(int=1)", "00000000-0000-0000-0000-000000000001"),
    ("Any", "decimal.Decimal('1.5')", 1.5),
    ("float", "float('nan')", None),
    ("int", "10 ** 30", 10**30),
    ("Union[str, Path]", "text('hi')", "data:text/plain;base64,aGk="),
    ("list[Path]", "[text('a'), text('b')]", ["data:text/plain;base64,YQ==", "data:text/plain;base64,Yg=="]),
    ("dict[str, Path]", "{'x': text('a')}", {"x": "data:text/plain;base64,YQ=="}),
    ("Iterator[Path]", "iter([text('a')])", ["data:text/plain;base64,YQ=="]),
]
GIVE = """
import tempfile
def text(content):
    path = Path(tempfile.mkdtemp()) / "out.txt"
    path.write_text(content)
    return path
"""


def test_every_type_leaves_as_json(tmp_path: Path) -> None:
    """What authors return is what callers can read; files are data URLs wherever they stand."""
    source = HEAD + GIVE
    for number, (kind, value, _) in enumerate(GIVEN):
        source += f"def f{number}() -> {kind}:\n    return {value}\n"
    (tmp_path / "predict.py").write_text(source)
    for number, (kind, _, expected) in enumerate(GIVEN):
        with serving(tmp_path, f"predict.py:f{number}") as server:
            found = server.result({})
            assert (found["output"], found["error"]) == (expected, None), kind


def test_a_picture_leaves_as_a_file(tmp_path: Path) -> None:
    """An annotation of Pillow's is a file, in and out."""
    pytest.importorskip("PIL")
    (tmp_path / "predict.py").write_text(
        "from PIL import Image\nfrom typing import Optional\n"
        "def predict(image: Optional[Image.Image] = None) -> Image.Image:\n"
        "    return Image.new('RGB', (3, 2)) if image is None else image.resize((image.width * 2, image.height))\n"
    )
    with serving(tmp_path, "predict.py:predict") as server:
        first = server.result({})["output"]
        assert first.startswith("data:image/png;base64,")
        assert server.result({"image": first})["output"].startswith("data:image/png;base64,")
