"""What the server relies on in a worker: the same promises of the fake worker and of the real one."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import cog_server.testing
import pytest
from cog_server.embedded import (
    Completed,
    Event,
    InputInvalidError,
    Log,
    Model,
    ModelOptions,
    Output,
    OutputFile,
    SetupFailedError,
    Started,
)

pytestmark = pytest.mark.anyio

MODELS = Path(__file__).parent / "models"
FAKE = Path(cog_server.testing.__file__).parent / "fake_worker.py"

Start = Callable[..., AbstractAsyncContextManager[Model]]


@pytest.fixture(params=["fake", "real"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Return a function that starts a predictor of the models on the worker under test."""
    shutil.copy(MODELS / "predict.py", tmp_path)
    script = FAKE if request.param == "fake" else None

    def starting(
        name: str, logs: list[str] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[Model]:
        chosen = ModelOptions(
            python=Path(sys.executable), project=tmp_path, ref=f"predict.py:{name}", script=script, **options
        )
        return Model.start(chosen, on_log=lambda _, text: logs.append(text) if logs is not None else None)

    return starting


async def run(model: Model, value: Mapping[str, Any]) -> list[Event]:
    """Run a prediction to its end."""
    return [event async for event in model.predict(value)]


async def last(model: Model, value: Mapping[str, Any]) -> Completed:
    """Run a prediction and return its end."""
    event = (await run(model, value))[-1]
    assert isinstance(event, Completed)
    return event


async def test_setup_s_logs_are_complete(start: Start) -> None:
    """Everything setup() and its subprocesses print is known when the model is ready, each time."""
    for _ in range(5):
        logs: list[str] = []
        async with start("Plain", logs):
            text = "".join(logs)
        assert sorted(text.split("\n")) == ["", "setup of a subprocess", "setup on stderr", "setup on stdout"]


async def test_a_prediction_answers(start: Start) -> None:
    """A prediction starts, ends and has its time."""
    async with start("Plain") as model:
        started, end = await run(model, {"mode": "echo", "value": "hé 你"})
    assert isinstance(started, Started)
    assert isinstance(end, Completed)
    assert (end.status, end.output, end.error, end.logs) == ("succeeded", "hé 你", None, "")
    assert 0 <= end.metrics["predict_time"] < 20


async def test_the_project_is_the_working_directory(start: Start, tmp_path: Path) -> None:
    """The author's relative paths start at the project."""
    async with start("Plain") as model:
        assert (await last(model, {"mode": "cwd"})).output == os.path.realpath(tmp_path)  # noqa: ASYNC240 - a test


async def test_logs_belong_to_their_prediction(start: Start) -> None:
    """Prints of both streams, of subprocesses and raw writes are in the prediction's logs, whole, and in no other's."""
    async with start("Plain") as model:
        for number in range(20):
            end = await last(model, {"mode": "print", "value": str(number)})
            assert sorted(end.logs.split("\n")) == sorted(
                ["", f"stdout {number}", "stderr", "subprocess", "é"]
            )


async def test_an_exception_fails_the_prediction_only(start: Start) -> None:
    """The error is the exception's text, the traceback is in the logs, and the next prediction runs."""
    async with start("Plain") as model:
        end = await last(model, {"mode": "raise", "value": "boom"})
        assert (end.status, end.error, end.output) == ("failed", "boom", None)
        assert end.logs.startswith("before\nTraceback")
        assert end.logs.endswith("ValueError: boom\n")
        empty = await last(model, {"mode": "raise", "value": ""})
        assert empty.error == "ValueError"
        assert (await last(model, {"mode": "echo", "value": "on"})).output == "on"


@pytest.mark.parametrize(("mode", "cause"), [("exit", "exit status 7"), ("segfault", "SIGSEGV")])
async def test_a_crash_fails_the_prediction_and_the_worker_comes_back(
    start: Start, mode: str, cause: str
) -> None:
    """The cause of death is the error, the last words are logs, what waits runs on the next worker."""
    async with start("Plain") as model:
        crashing = model.predict({"mode": mode})
        assert isinstance(await anext(crashing), Started)
        waiting = model.predict({"mode": "echo", "value": "waited"})
        end = [event async for event in crashing][-1]
        assert isinstance(end, Completed)
        assert end.status == "failed"
        assert cause in (end.error or "")
        if mode == "exit":
            assert end.logs == "last words\n"
        # A new one is started at once; a prediction is taken as soon as it is ready.
        await ready(model)
        assert [event async for event in waiting][-1].output == "waited"  # type: ignore[union-attr]


async def ready(model: Model) -> None:
    """Wait until the model takes predictions again."""
    import asyncio

    engine = model._runner.predictions.engine
    for _ in range(500):
        if engine.accepting:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the worker did not come back")


async def test_a_canceled_sleep_ends_at_once(start: Start) -> None:
    """Code that is blocked in a system call is interrupted, and the worker lives on."""
    async with start("Plain") as model:
        pid = model._runner.predictions.supervisor.pid
        prediction = model.predict({"mode": "sleep", "value": "30"}, id="long")
        await anext(prediction)
        begun = time.monotonic()
        assert await model.cancel("long")
        end = [event async for event in prediction][-1]
        assert isinstance(end, Completed)
        assert end.status == "canceled"
        assert time.monotonic() - begun < 20
        assert (await last(model, {"mode": "echo", "value": "on"})).output == "on"
        assert model._runner.predictions.supervisor.pid == pid
        assert not await model.cancel("long")
        assert not await model.cancel("unknown")


async def test_a_cancel_that_comes_late_hits_nobody_else(start: Start) -> None:
    """Cancels sent around the end of a prediction never touch the next one."""
    async with start("Plain") as model:
        for number in range(30):
            prediction = model.predict({"mode": "sleep", "value": "0.002"}, id=f"p{number}")
            await anext(prediction)
            await model.cancel(f"p{number}")
            end = [event async for event in prediction][-1]
            assert isinstance(end, Completed)
            assert end.status in ("canceled", "succeeded")
            following = await last(model, {"mode": "echo", "value": str(number)})
            assert (following.status, following.output) == ("succeeded", str(number))


async def test_a_stream_comes_piece_by_piece(start: Start) -> None:
    """Each yielded value is an event of its own, in order with the logs; the end has them all."""
    async with start("Streaming") as model:
        events = await run(model, {"count": 50})
        pieces = [event for event in events if isinstance(event, Output)]
        assert [(piece.index, piece.chunk) for piece in pieces] == [(n, f"piece {n} ") for n in range(50)]
        assert isinstance(events[-1], Completed)
        assert events[-1].output == [f"piece {n} " for n in range(50)]
        assert events[-1].logs == "".join(f"piece {n}\n" for n in range(50))
        assert "".join(event.data for event in events if isinstance(event, Log)) == events[-1].logs


async def test_a_stream_is_not_held_back(start: Start) -> None:
    """The first value is there before the model has made the last."""
    async with start("Streaming") as model:
        begun = time.monotonic()
        async for event in model.predict({"count": 100, "pause": 0.1}):
            if isinstance(event, Output):
                assert time.monotonic() - begun < 8
                break


async def test_a_stream_that_breaks_keeps_what_it_gave(start: Start) -> None:
    """A failure in the middle leaves the earlier values in the output."""
    async with start("Streaming") as model:
        end = await last(model, {"count": 5, "fail_at": 2})
        assert (end.status, end.error) == ("failed", "stream broke")
        assert end.output == ["piece 0 ", "piece 1 "]


async def test_a_stream_that_nobody_reads_on_is_canceled(start: Start) -> None:
    """Closing the reader cancels the prediction; the model is free again."""
    async with start("Streaming") as model:
        begun = time.monotonic()
        reader = model.predict({"count": 1000, "pause": 0.05})
        async for event in reader:
            if isinstance(event, Output):
                break
        await reader.aclose()  # type: ignore[attr-defined]
        assert (await last(model, {"count": 1})).output == ["piece 0 "]
        assert time.monotonic() - begun < 40


async def test_output_files_are_there_until_the_reader_is_done(start: Start) -> None:
    """A path becomes an OutputFile that can be read; nothing stays in the server's folders."""
    async with start("Files") as model:
        reader = model.predict({"name": "out.txt", "text": "content"})
        async for event in reader:
            if isinstance(event, Completed):
                assert isinstance(event.output, OutputFile)
                assert (event.output.name, event.output.media_type) == ("out.txt", "text/plain")
                assert event.output.path.read_text() == "content"
        folders = model._runner.folders.root
    assert not folders.exists()


async def test_streamed_files_keep_their_content(start: Start) -> None:
    """Files of one name that follow each other are each what they were when they were yielded."""
    async with start("FileStream") as model:
        texts = []
        async for event in model.predict({"count": 3}):
            if isinstance(event, Output):
                assert isinstance(event.chunk, OutputFile)
                texts.append(event.chunk.path.read_text())
        assert texts == ["file 0", "file 1", "file 2"]


async def test_input_files_arrive_on_disk(start: Start, tmp_path: Path) -> None:
    """A data URL and a local path reach the model as files."""
    local = tmp_path / "mine.txt"
    local.write_text("local")
    async with start("FileIn") as model:
        model._runner.predictions._schema = type(model._runner.predictions._schema).compile(FILE_DOCUMENT)
        model._runner.predictions._given = FILE_DOCUMENT
        assert (await last(model, {"file": local})).output == "mine.txt: local"
        end = await last(model, {"file": "data:text/plain;base64,aGVsbG8="})
        assert end.output == "input.txt: hello"
        failed = await last(model, {"file": "data:text/plain;base64,@"})
        assert failed.status == "failed"
        assert "file: the data URL says base64" in (failed.error or "")
        with pytest.raises(InputInvalidError):
            await last(model, {"file": "nothing"})


FILE_DOCUMENT = {
    "components": {"schemas": {"Input": {"properties": {"file": {"type": "string", "format": "uri"}}}}}
}


@pytest.mark.parametrize(
    ("name", "error", "logged"),
    [("BadSetup", "no weights", "trying\nTraceback"), ("DyingSetup", "exit status 9", "about to die\n")],
)
async def test_a_setup_that_fails_is_told_with_its_logs(
    start: Start, name: str, error: str, logged: str
) -> None:
    """The reason and everything that was printed are in the error."""
    with pytest.raises(SetupFailedError, match=error) as caught:
        async with start(name):
            pass
    assert caught.value.logs.startswith(logged)


async def test_a_setup_that_takes_too_long_is_ended(start: Start) -> None:
    """The limit is in the error, and in the logs after what was printed until then."""
    with pytest.raises(SetupFailedError, match=r"longer than the 2 seconds") as caught:
        async with start("SlowSetup", setup_timeout=2):
            pass
    assert caught.value.logs == f"loading weights\n{caught.value.message}\n"


async def test_a_model_that_is_not_there_is_a_failed_setup(start: Start) -> None:
    """A class that does not exist is told by name."""
    with pytest.raises(SetupFailedError, match="Absent"):
        async with start("Absent"):
            pass


async def test_the_model_s_own_healthcheck(start: Start, tmp_path: Path) -> None:
    """The author's healthcheck is asked each time."""
    async with start("Plain") as model:
        supervisor = model._runner.predictions.supervisor
        assert (await supervisor.healthcheck()).ok
        (tmp_path / "unwell").touch()
        assert not (await supervisor.healthcheck()).ok


async def test_ending_leaves_no_process(start: Start) -> None:
    """The worker ends by itself when asked, and what it started is ended with it."""
    async with start("Plain") as model:
        child = int((await last(model, {"mode": "spawn"})).output)
        pid = model._runner.predictions.supervisor.pid
        assert pid is not None
        assert alive(child)
        begun = time.monotonic()
    assert time.monotonic() - begun < 20
    assert not alive(pid)
    assert not alive(child)


def alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
