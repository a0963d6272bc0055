"""Files of a worker's predictions: those that come in, those that go out, those that stay its author's."""

from __future__ import annotations

import os
from typing import Any

from cog.worker import frames

from tests.integration.sdk.predictors import HELLO


def test_files_come_in_and_go_out(start: Any) -> None:
    """An input file is a Path on disk; an output file is a marker to a copy nobody writes to any more."""
    worker = start("""
    from cog import Path
    class Predictor:
        def predict(self, image: Path) -> Path:
            assert isinstance(image, Path) and image.name == "in.txt"
            result = Path("/tmp") / f"cog-test-{image.read_text()}.txt"
            result.write_text("made of " + image.read_text())
            return result
    """)
    worker.ready()
    source = worker.folder / "in.txt"
    source.write_text(str(os.getpid()))
    kind, payload = worker.run(1, image={"$cog.file": {"path": str(source), "name": "in.txt"}})
    assert kind == frames.SUCCEEDED
    assert payload["flags"] == 1
    marker = payload["output"]["$cog.file"]
    assert marker["name"] == f"cog-test-{os.getpid()}.txt"
    assert marker["path"].startswith(str(worker.out))
    with open(marker["path"]) as file:  # noqa: PTH123 - any path will do
        assert file.read() == f"made of {os.getpid()}"


def test_a_callers_text_never_names_a_file(start: Any) -> None:
    """A bare text for a file input is refused: only the server says what is on disk."""
    worker = start("""
    from cog import Path
    class Predictor:
        def predict(self, image: Path) -> str:
            return image.read_text()
    """)
    worker.ready()
    kind, payload = worker.run(1, image="/etc/hostname")
    assert kind == frames.FAILED
    assert payload["error"] == "input 'image': a file was expected"


def test_a_yielded_file_may_be_written_again(start: Any) -> None:
    """Each piece keeps the content it had when it was yielded, though the author overwrites the file."""
    worker = start("""
    from typing import Iterator
    from cog import Path
    class Predictor:
        def predict(self) -> Iterator[Path]:
            for text in ("one", "two"):
                Path("frame.txt").write_text(text)
                yield Path("frame.txt")
    """)
    worker.ready()
    worker.predict(1)
    pieces = [payload["output"]["$cog.file"] for _, payload in worker.until_terminal(1)[:-1]]
    contents = []
    for piece in pieces:
        with open(piece["path"]) as file:  # noqa: PTH123 - any path will do
            contents.append(file.read())
    assert contents == ["one", "two"]
    assert [piece["name"] for piece in pieces] == ["frame.txt", "frame.txt"]


def test_an_output_file_that_is_not_there_fails(start: Any) -> None:
    """A returned path without a file is an error that names it."""
    worker = start("""
    from cog import Path
    class Predictor:
        def predict(self) -> Path:
            return Path("/nowhere/out.png")
    """)
    worker.ready()
    assert worker.run(1)[1]["error"] == "the output file /nowhere/out.png does not exist"


def test_the_authors_files_do_not_replace_ours(start: Any) -> None:
    """A project with json.py, socket.py and types.py of its own runs, and its predictor can use them by path."""
    names = ("json", "socket", "struct", "signal", "inspect", "typing", "dataclasses", "asyncio")
    worker = start(HELLO, files={f"{name}.py": "raise RuntimeError('not me')\n" for name in names})
    worker.ready()
    assert worker.output(1, text="you") == "hello you"


def test_an_opened_file_is_closed_afterwards(start: Any) -> None:
    """A File input is open in predict() and closed when it is over."""
    worker = start("""
    from cog import File
    class Predictor:
        last = None
        def predict(self, data: File) -> str:
            before = self.last
            self.last = data
            return f"{data.read().decode()} {before and before.closed}"
    """)
    worker.ready()
    (worker.folder / "a.txt").write_text("a")
    marker = {"$cog.file": {"path": str(worker.folder / "a.txt"), "name": "a.txt"}}
    assert worker.output(1, data=marker) == "a None"
    assert worker.output(2, data=marker) == "a True"
