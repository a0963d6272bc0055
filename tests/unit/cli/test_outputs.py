"""What a prediction gave: printed, streamed or written into files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from cog_server.outputs import OutputFile
from cogyard.cli.console import Console
from cogyard.cli.outputs import OutputError, Outputs

TEXT = {
    "type": "array",
    "items": {"type": "string"},
    "x-cog-array-type": "iterator",
    "x-cog-array-display": "concatenate",
}
ITEMS = {"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"}
FILES = {"type": "array", "items": {"type": "string", "format": "uri"}, "x-cog-array-type": "iterator"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder; the model's files are in another one."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def file(tmp_path: Path, name: str = "made.png", data: bytes = b"png") -> OutputFile:
    """Return a file that a model made."""
    path = tmp_path / name
    path.write_bytes(data)
    return OutputFile(path=path, name=name, media_type="image/png")


def outputs(schema: Any = None, to: str | None = None) -> tuple[Outputs, io.StringIO]:
    """Return the outputs under test, and what they say."""
    said = io.StringIO()
    return Outputs({"components": {"schemas": {"Output": schema or {}}}}, to, Console(said)), said


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("a text", "a text\n"),
        ("ends\n", "ends\n"),
        (3.5, "3.5\n"),
        (True, "true\n"),
        (["a", "ü"], '[\n  "a",\n  "ü"\n]\n'),
        ({"a": 1}, '{\n  "a": 1\n}\n'),
        ([], "[]\n"),
    ],
)
def test_values_are_printed(value: Any, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A text as it is, anything else as JSON."""
    outputs()[0].finish(value)
    assert capsys.readouterr().out == printed


def test_text_is_printed_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    """Each chunk is there at once; the last line is ended."""
    shown, _ = outputs(TEXT)
    shown.chunk("a ", 0)
    assert capsys.readouterr().out == "a "
    shown.chunk("b", 1)
    shown.finish(["a ", "b"])
    assert capsys.readouterr().out == "b\n"


def test_items_are_printed_as_they_come_and_are_json_in_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Streamed JSON is the same as JSON printed at the end."""
    values = ["a", "b\nc"]
    shown, _ = outputs(ITEMS)
    for index, value in enumerate(values):
        shown.chunk(value, index)
    shown.finish(values)
    streamed = capsys.readouterr().out
    assert streamed == json.dumps(values, indent=2) + "\n"


def test_a_file_is_written_under_its_default_name(tmp_path: Path, folder: Path) -> None:
    """`output` and the file's own extension, in the current folder."""
    shown, said = outputs()
    shown.finish(file(tmp_path))
    assert (folder / "output.png").read_bytes() == b"png"
    assert said.getvalue() == "Written output to output.png\n"


def test_files_are_numbered(tmp_path: Path, folder: Path) -> None:
    """A list of files, and files that come one by one, are output.0, output.1 and so on."""
    outputs()[0].finish([file(tmp_path, "a.png"), file(tmp_path, "b.jpg")])
    assert sorted(one.name for one in folder.iterdir()) == ["output.0.png", "output.1.jpg"]
    shown, _ = outputs(FILES)
    shown.chunk(file(tmp_path, "c.gif"), 0)
    assert (folder / "output.0.gif").exists()
    shown.finish([])


def test_files_inside_json_are_written_and_named(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object with files prints their paths."""
    outputs()[0].finish({"mask": file(tmp_path), "score": 1, "more": [file(tmp_path)]})
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"mask": "output.mask.png", "score": 1, "more": ["output.more.0.png"]}
    assert (folder / "output.more.0.png").exists()


def test_a_name_for_the_output_is_followed(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """-o names a file, a folder, or stdout."""
    outputs(to="mine.jpg")[0].finish(file(tmp_path))
    outputs(to="text.txt")[0].finish("words")
    (folder / "into").mkdir()
    outputs(to="into")[0].finish(file(tmp_path))
    outputs(to="many.png")[0].finish([file(tmp_path), file(tmp_path)])
    assert (folder / "text.txt").read_text() == "words"
    assert sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*.*")) == [
        "into/output.png", "many.0.png", "many.1.png", "mine.jpg", "text.txt",
    ]  # fmt: skip
    shown, _ = outputs(TEXT, to="-")
    shown.chunk("x", 0)
    shown.finish(["x"])
    assert capsys.readouterr().out == "x\n"


def test_streamed_text_goes_whole_into_a_file(folder: Path) -> None:
    """With -o nothing is printed, and nothing half-written is seen."""
    shown, _ = outputs(TEXT, to="all.txt")
    shown.chunk("a", 0)
    assert not (folder / "all.txt").exists()
    shown.finish(["a", "b"])
    assert (folder / "all.txt").read_text() == "ab"


def test_a_folder_is_never_overwritten(tmp_path: Path, folder: Path) -> None:
    """A folder that has the default name makes the command say so."""
    (folder / "output.png").mkdir()
    with pytest.raises(OutputError, match=r"output\.png conflicts with a folder"):
        outputs()[0].finish(file(tmp_path))
    assert (folder / "output.png").is_dir()


def test_an_older_output_is_replaced(tmp_path: Path, folder: Path) -> None:
    """Running again replaces the file, and leaves nothing else behind."""
    (folder / "output.png").write_bytes(b"old")
    outputs()[0].finish(file(tmp_path))
    assert [(one.name, one.read_bytes()) for one in folder.iterdir()] == [("output.png", b"png")]


def test_a_missing_folder_is_told_before_the_model_runs() -> None:
    """The check needs no output."""
    with pytest.raises(OutputError, match="the folder nowhere for the output is not there"):
        outputs(to="nowhere/x.png")[0].check()


def test_no_output_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A predictor that returns None is most often one that is not finished."""
    shown, said = outputs()
    shown.finish(None)
    assert "No output generated" in said.getvalue()
    assert not capsys.readouterr().out


def test_the_whole_answer_is_json_with_data_urls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints what the HTTP API would answer."""
    shown, said = outputs(to=None)
    shown.whole({"status": "succeeded", "output": [file(tmp_path)], "metrics": {"predict_time": 0.5}})
    printed = json.loads(capsys.readouterr().out)
    assert printed["output"] == ["data:image/png;base64,cG5n"]
    assert not said.getvalue()
    shown, said = outputs(to="answer.txt")
    shown.whole({"status": "succeeded"})
    assert "does not end with .json" in said.getvalue()


def test_files_of_an_object_keep_their_own_endings(tmp_path: Path, folder: Path) -> None:
    """`-o result.json` is the object; the pictures in it are pictures still, in a folder too."""
    outputs(to="result.json")[0].finish({"mask": file(tmp_path), "score": 1})
    (folder / "into").mkdir()
    outputs(to="into/")[0].finish({"mask": file(tmp_path), "score": 1})
    assert sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*.*")) == [
        "into/output.json", "into/output.mask.png", "result.json", "result.mask.png",
    ]  # fmt: skip


def test_a_folder_that_is_not_there_is_said_before_the_model_runs(folder: Path) -> None:
    """A name that ends in a slash is a folder; nothing is written beside it under its name."""
    with pytest.raises(OutputError, match="new"):
        outputs(to="new/")[0].check()


def test_the_folder_that_is_missing_is_made_by_what_is_proposed(folder: Path) -> None:
    """What the hint says makes the folder, also below one that is missing, also with a space in its name."""
    with pytest.raises(OutputError) as caught:
        outputs(to="a b/sub/out.txt")[0].check()
    assert caught.value.hint == "Make it: mkdir -p 'a b/sub'"


def test_a_file_is_no_folder(folder: Path) -> None:
    """Where a file has the name of the wanted folder, that is said: making it would fail."""
    (folder / "out").write_text("")
    for to in ("out/", "out/result.txt"):
        with pytest.raises(OutputError, match="out is a file"):
            outputs(to=to)[0].check()
