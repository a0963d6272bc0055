"""`-i` and `--json`: exact values by the model's schema, and help with what does not fit."""

from __future__ import annotations

import io
import json
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cogyard.cli.inputs import InputsError, Standard, example, from_arguments, from_json
from cogyard.cli.inputting import empty_files
from hypothesis import given
from hypothesis import strategies as st

PROPERTIES: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "description": "what to say"},
    "count": {"type": "integer", "default": 1},
    "scale": {"type": "number", "default": 1.5},
    "loud": {"type": "boolean", "default": False},
    "image": {"type": "string", "format": "uri", "default": None},
    "style": {"allOf": [{"$ref": "#/components/schemas/style"}], "default": "plain"},
    "size": {"allOf": [{"$ref": "#/components/schemas/size"}], "default": 1},
    "words": {"type": "array", "items": {"type": "string"}, "default": []},
    "numbers": {"type": "array", "items": {"type": "integer"}, "default": []},
    "images": {"type": "array", "items": {"type": "string", "format": "uri"}, "default": []},
    "options": {"type": "object", "default": {}},
    "either": {"anyOf": [{"type": "string"}, {"type": "integer"}], "default": 0},
    "anything": {"default": None},
}
DOCUMENT = {
    "components": {
        "schemas": {
            "Input": {"properties": PROPERTIES, "required": ["text"]},
            "style": {"enum": ["plain", "fancy"], "type": "string"},
            "size": {"enum": [1, 2, 4], "type": "integer"},
        }
    }
}


def values_of(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Return the input of `text=x` and these arguments, without the text."""
    values = from_arguments(["text=x", *arguments], DOCUMENT, Standard(scratch=tmp_path))
    return {name: value for name, value in values.items() if name != "text"}


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("count=3000000000", "count", 3_000_000_000),
        ("count=123456789012345678901234567890", "count", 123456789012345678901234567890),
        ("count=-2", "count", -2),
        ("scale=0.123456789", "scale", 0.123456789),
        ("scale=2", "scale", 2.0),
        ("scale=1e-9", "scale", 1e-9),
        ("loud=true", "loud", True),
        ("loud=No", "loud", False),
        ("loud=1", "loud", True),
        ("style=fancy", "style", "fancy"),
        ("size=4", "size", 4),
        ("words=a", "words", ["a"]),
        ('words=["a", "b=c"]', "words", ["a", "b=c"]),
        ("numbers=5", "numbers", [5]),
        ('options={"a": [1, null]}', "options", {"a": [1, None]}),
        ("either=7", "either", 7),
        ("either=seven", "either", "seven"),
        ("anything=[1]", "anything", [1]),
        ("anything=plain", "anything", "plain"),
        ("image=https://example.com/a.png", "image", "https://example.com/a.png"),
        ("image=data:text/plain;base64,aGk=", "image", "data:text/plain;base64,aGk="),
    ],
)
def test_a_value_gets_the_type_of_its_input(tmp_path: Path, argument: str, name: str, value: Any) -> None:
    """Numbers are exact, and what looks like a number stays a text where a text is wanted."""
    found = values_of(tmp_path, argument)
    assert found == {name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("text=1", "1"),
        ("text=a=b", "a=b"),
        ("text=", ""),
        ('text="quoted"', "quoted"),
        ('text="', '"'),
        ("text=ü ", "ü "),
    ],
)
def test_a_text_is_taken_as_it_is(tmp_path: Path, text: str, value: str) -> None:
    """Only one pair of quotes around the whole is taken off, as Cog does."""
    assert from_arguments([text], DOCUMENT, Standard(scratch=tmp_path)) == {"text": value}


def test_a_repeated_name_makes_a_list(tmp_path: Path) -> None:
    """Each value is read by the type of the list's items, files included."""
    picture = tmp_path / "in.png"
    picture.write_bytes(b"x")
    assert values_of(tmp_path, "numbers=1", "numbers=2", f"images=@{picture}", f"images=@{picture}") == {
        "numbers": [1, 2],
        "images": [picture, picture],
    }


def test_files_are_named_with_an_at_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file input gets the path, a text input the file's text; ~ is the home folder."""
    (tmp_path / "in.txt").write_text("from the file")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert values_of(tmp_path, "image=@in.txt") == {"image": tmp_path / "in.txt"}
    assert values_of(tmp_path, "image=@~/in.txt") == {"image": tmp_path / "in.txt"}
    values = from_arguments(["text=@in.txt"], DOCUMENT, Standard(scratch=tmp_path))
    assert values == {"text": "from the file"}


def test_standard_input_is_read_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`@-` (and a lone `-` for a file) is stdin, byte for byte."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("häh".encode())))
    values = from_arguments(["text=@-", "image=-"], DOCUMENT, Standard(scratch=tmp_path))
    assert values["text"] == "häh"
    assert values["image"].read_bytes() == "häh".encode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["text"], "the expected form is name=value"),
        (["=x"], "the expected form is name=value"),
        (["txet=a"], "Did you mean `text`?"),
        (["zzz=a"], "Valid inputs are: text, count"),
        (["count=1"], "missing required input `text` (what to say)"),
        (["text=a", "count=1.5"], "count: expected a whole number, got `1.5`"),
        (["text=a", "count="], "expected a whole number"),
        (["text=a", "count=1_000"], "expected a whole number"),
        (["text=a", "scale=big"], "expected a number"),
        (["text=a", "scale=nan"], "expected a number"),
        (["text=a", "scale=inf"], "expected a number"),
        (["text=a", "loud=maybe"], "expected true or false"),
        (["text=a", "style=fncy"], "Did you mean `fancy`?"),
        (["text=a", "size=3"], "must be one of: 1, 2, 4"),
        (["text=a", "text=b"], "given 2 times"),
        (["text=a", "options=[1]"], "expected a JSON object"),
        (["text=a", "options={"], "expected a JSON object"),
        (["text=a", "words=[1"], "expected a JSON array"),
        (["text=a", "image=in.png"], "Put an @ before the name of a file: @in.png"),
        (["text=a", "image=@nothing.png"], "there is no file nothing.png"),
        (["text=a", "image=@/"], "is a folder"),
        (["text=@nothing"], "there is no file nothing"),
        (["text=a", "image="], "got nothing"),
        (["text=a", "image=@"], "the name of a file is missing after the @"),
    ],
)
def test_what_does_not_fit_is_explained(tmp_path: Path, arguments: list[str], said: str) -> None:
    """The input, the value and what is wanted are in the message; the exit status is that of misuse."""
    with pytest.raises(InputsError) as caught:
        from_arguments(arguments, DOCUMENT, Standard(scratch=tmp_path))
    assert said in caught.value.message
    assert caught.value.exit_status == 2


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    """One try tells everything that does not fit, and shows a right call."""
    with pytest.raises(InputsError) as caught:
        from_arguments(["count=x", "scale=y", "nope=1"], DOCUMENT, Standard(scratch=tmp_path))
    assert caught.value.message.count("\n  - ") == 4
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("For example: cog predict -i text=")


def test_a_near_file_is_suggested(tmp_path: Path) -> None:
    """A mistyped file name is answered with the one that is there."""
    (tmp_path / "input.jpg").write_bytes(b"")
    with pytest.raises(InputsError, match=rf"Did you mean `@{tmp_path}/input\.jpg`"):
        values_of(tmp_path, f"image=@{tmp_path}/inptu.jpg")
    with pytest.raises(InputsError) as caught:
        values_of(tmp_path, f"image=@{tmp_path}/x.jpg")
    assert "Did you mean" not in caught.value.message


def test_the_example_is_quoted_for_the_shell() -> None:
    """A default that the shell would take apart stands in quotes."""
    texts: dict[str, dict[str, Any]] = {
        "text": {"type": "string", "default": "a $b's"},
        "numbers": {"type": "array", "default": [1, 2]},
    }
    words = shlex.split(example(texts).removeprefix("For example: "))
    assert words == ["cog", "predict", "-i", "text=a $b's", "-i", "numbers=[1, 2]"]


def test_json_is_taken_exactly(tmp_path: Path) -> None:
    """Inline, in a file: the same object; texts that begin with @ are files."""
    (tmp_path / "in.json").write_text('{"text": "from a file", "count": 3000000000}')
    (tmp_path / "a.png").write_bytes(b"")
    standard = Standard(scratch=tmp_path)
    assert from_json('{"text": "a", "scale": 0.1}', DOCUMENT, standard) == {"text": "a", "scale": 0.1}
    assert from_json(f"@{tmp_path}/in.json", DOCUMENT, standard) == {
        "text": "from a file",
        "count": 3_000_000_000,
    }
    files = json.dumps({"text": "a", "image": f"@{tmp_path}/a.png", "images": [f"@{tmp_path}/a.png"]})
    found = from_json(files, DOCUMENT, standard)
    assert (found["image"], found["images"]) == (tmp_path / "a.png", [tmp_path / "a.png"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must hold an object"),
        ('{"txt": "a"}', "Did you mean `text`?"),
        ('{"count": 1}', "missing required input"),
        ("@nothing.json", "there is no file nothing.json"),
        ('{"text": "a", "image": "@nothing"}', "there is no file nothing"),
    ],
)
def test_wrong_json_is_explained(tmp_path: Path, text: str, said: str) -> None:
    """The same help as for -i."""
    with pytest.raises(InputsError) as caught:
        from_json(text, DOCUMENT, Standard(scratch=tmp_path))
    assert said in caught.value.message


@given(value=st.integers())
def test_whole_numbers_are_exact(value: int) -> None:
    """Seeds beyond 32 bits, or 64, arrive as they were written."""
    standard = Standard(scratch=Path("/nowhere"))
    assert from_arguments(["text=x", f"count={value}"], DOCUMENT, standard)["count"] == value


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact(value: float) -> None:
    """No digit is lost on the way."""
    standard = Standard(scratch=Path("/nowhere"))
    assert from_arguments(["text=x", f"scale={value!r}"], DOCUMENT, standard)["scale"] == value


@given(
    name=st.sampled_from([*PROPERTIES, "other"]),
    text=st.text(max_size=40).filter(lambda one: "\0" not in one),
)
def test_any_argument_is_answered(name: str, text: str) -> None:
    """A value or an explanation, whatever stands there."""
    arguments = [f"{name}={text}"] if name == "text" else ["text=x", f"{name}={text}"]
    if text == "-" or text.startswith("@"):
        return
    with suppress(InputsError):
        from_arguments(arguments, DOCUMENT, Standard(scratch=Path("/nowhere")))


def test_the_example_can_be_typed(tmp_path: Path) -> None:
    """The call shown after a mistake is taken as meant: no Python words, no empty defaults."""
    properties: dict[str, dict[str, Any]] = {
        "tile": {"type": "boolean", "default": True},
        "language": {"type": "string", "default": None},
        "words": {"type": "array", "default": ["a"]},
    }
    assert example(properties).endswith("-i tile=true -i language=… -i words='[\"a\"]'")


def test_files_with_nothing_in_them_are_found(tmp_path: Path) -> None:
    """Wherever in the input they stand, so that a failure can name them."""
    empty, full = tmp_path / "empty.png", tmp_path / "full.png"
    empty.touch()
    full.write_bytes(b"png")
    assert empty_files({"image": empty, "more": [full, empty], "text": ""}) == ["empty.png", "empty.png"]
    assert empty_files({"image": full, "address": "https://x/empty.png"}) == []


def test_a_text_of_another_locale_is_what_was_typed(tmp_path: Path) -> None:
    """In a locale of ASCII its letters come as single bytes; what is no UTF-8 is said to be none."""
    typed = "text=Grüße, 你好".encode().decode("ascii", "surrogateescape")
    standard = Standard(scratch=tmp_path)
    assert from_arguments([typed], DOCUMENT, standard)["text"] == "Grüße, 你好"
    whole = '{"text": "Grüße"}'.encode().decode("ascii", "surrogateescape")
    assert from_json(whole, DOCUMENT, standard)["text"] == "Grüße"
    with pytest.raises(InputsError, match="its bytes are not UTF-8"):
        from_arguments(["text=\udcff"], DOCUMENT, standard)
