"""The whole way on a real platform: push an image, ask over HTTP, get what the model made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cogyard.testing.images import TestImage, make_image

Model = Callable[..., TestImage]


def test_a_pushed_image_answers(shared_platform: Any) -> None:
    """From nothing running to the answer, waited for in one request."""
    version = shared_platform.push(make_image(python=shared_platform.python), "hello")
    done = shared_platform.create(version, wait=55, text="Alice")
    assert done["output"] == "hello Alice"
    found = shared_platform.until(done["id"])
    assert (found["status"], found["error"], found["version"]) == ("succeeded", None, version)
    assert "greeting" in found["logs"]
    assert found["metrics"]["predict_time"] >= 0
    assert found["started_at"] >= found["created_at"]
    again = shared_platform.create(version, wait=55, text="Bob")
    assert again["output"] == "hello Bob"


def test_a_private_model_is_nobody_elses(shared_platform: Any) -> None:
    """Without the owner's token the version cannot be run, and the answer does not tell that it exists."""
    version = shared_platform.push(make_image(python=shared_platform.python), "hello")
    answer = shared_platform.http.post(
        "/v1/predictions", json={"version": version, "input": {}}, headers={"authorization": ""}
    )
    assert answer.status_code == 401


def test_outputs_stream_while_the_model_works(shared_platform: Any, model: Model) -> None:
    """Each value is seen before the model is done, then `done`; the prediction holds them all."""
    image = model(
        "for word in ('one', 'two', 'three'):\n    yield word\n    time.sleep(0.4)",
        output="ConcatenateIterator[str]",
    )
    created = shared_platform.create(shared_platform.push(image, "stream"))
    seen: list[tuple[str, str, float]] = []
    with shared_platform.http.stream(
        "GET", created["urls"]["stream"], headers={"accept": "text/event-stream"}
    ) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                seen.append((name, line.removeprefix("data: "), time.monotonic()))
    outputs = [(data, at) for event, data, at in seen if event == "output"]
    assert [data for data, _ in outputs] == ["one", "two", "three"]
    assert outputs[2][1] - outputs[0][1] > 0.5
    assert seen[-1][0] == "done"
    assert shared_platform.until(created["id"])["output"] == ["one", "two", "three"]


def test_files_go_in_and_out(shared_platform: Any) -> None:
    """An uploaded file reaches the model as a path; the file that it returns can be downloaded without a token."""
    version = shared_platform.push(shared_platform.file_model(), "files")
    uploaded = shared_platform.http.post(
        "/v1/files", files={"content": ("in put.txt", b"some text", "text/plain")}
    )
    done = shared_platform.run(version, image=uploaded.raise_for_status().json()["urls"]["get"])
    assert done["status"] == "succeeded", done
    answer = shared_platform.http.get(done["output"], headers={"authorization": ""})
    assert answer.content == b"SOME TEXT"
    data_url = "data:text/plain;base64,aGVsbG8="
    assert (
        shared_platform.http.get(shared_platform.run(version, image=data_url)["output"]).content == b"HELLO"
    )


def test_a_model_that_raises_fails_with_its_words(shared_platform: Any, model: Model) -> None:
    """The exception's text is the error, the traceback is in the logs."""
    version = shared_platform.push(model("raise ValueError('no such colour')"), "raises")
    done = shared_platform.run(version)
    assert (done["status"], done["error"], done["output"]) == ("failed", "no such colour", None)
    assert "ValueError: no such colour" in done["logs"]


def test_a_wrong_input_is_refused_before_anything_runs(shared_platform: Any) -> None:
    """422 with the field, and no prediction."""
    version = shared_platform.push(make_image(python=shared_platform.python), "hello")
    answer = shared_platform.http.post("/v1/predictions", json={"version": version, "input": {"txet": "x"}})
    assert answer.status_code == 422
    assert "txet" in answer.text


def test_a_running_prediction_is_canceled(shared_platform: Any, model: Model) -> None:
    """Cancel stops the model, and the instance takes the next prediction."""
    version = shared_platform.push(
        model("time.sleep(seconds)\nreturn 'slept'", inputs="seconds: float"), "sleep"
    )
    created = shared_platform.create(version, seconds=300)
    shared_platform.until(created["id"], "processing")
    shared_platform.http.post(f"/v1/predictions/{created['id']}/cancel").raise_for_status()
    assert shared_platform.get(created["id"])["status"] == "canceled"
    began = time.monotonic()
    assert shared_platform.run(version, seconds=0)["output"] == "slept"
    assert time.monotonic() - began < 30


def test_a_waiting_prediction_is_canceled_and_never_runs(shared_platform: Any, model: Model) -> None:
    """What is canceled in the queue is not given to the model."""
    version = shared_platform.push(
        model("time.sleep(seconds)\nreturn 'slept'", inputs="seconds: float"), "sleep"
    )
    first, second = shared_platform.create(version, seconds=2), shared_platform.create(version, seconds=0)
    shared_platform.http.post(f"/v1/predictions/{second['id']}/cancel").raise_for_status()
    assert shared_platform.until(first["id"])["output"] == "slept"
    assert shared_platform.get(second["id"])["status"] == "canceled"
    assert shared_platform.get(second["id"]).get("started_at") is None


def test_a_setup_that_fails_is_told_to_who_waits(shared_platform: Any, model: Model) -> None:
    """The prediction fails with the reason and the end of the setup log, soon, not after a timeout."""
    image = model("return ''", setup="print('loading weights')\nraise RuntimeError('no such weights')")
    done = shared_platform.run(shared_platform.push(image, "broken"))
    assert done["status"] == "failed"
    assert "setup() failed" in done["error"]
    assert "no such weights" in done["error"]
    assert "loading weights" in done["logs"]


def test_a_worker_that_dies_fails_its_prediction_only(shared_platform: Any, model: Model) -> None:
    """The model's process ends in the middle: that prediction fails, the next one runs."""
    version = shared_platform.push(
        model("os._exit(3) if die else None\nreturn 'alive'", inputs="die: bool = False"), "dies"
    )
    dead = shared_platform.run(version, die=True)
    assert dead["status"] == "failed"
    assert dead["error"]
    assert shared_platform.run(version)["output"] == "alive"


def test_a_model_server_that_is_killed_is_replaced(shared_platform: Any, model: Model) -> None:
    """As when memory runs out: the prediction says so, and the next one gets a new instance."""
    body = (
        "os.kill(os.getppid(), signal.SIGKILL) if die else None\ntime.sleep(5 if die else 0)\nreturn 'alive'"
    )
    version = shared_platform.push(model(body, inputs="die: bool = False"), "killed")
    dead = shared_platform.run(version, die=True)
    assert dead["status"] == "failed"
    assert "was killed (signal 9" in dead["error"]
    assert shared_platform.run(version)["output"] == "alive"


def test_a_version_that_cannot_run_here_says_why(shared_platform: Any) -> None:
    """An image without a lock is accepted as a version, and its predictions fail with what to do."""
    version = shared_platform.push(make_image(lock=None), "elsewhere")
    done = shared_platform.run(version)
    assert done["status"] == "failed"
    assert "no lock" in done["error"]
    assert "cog build" in done["error"]


def test_an_image_with_a_hostile_layer_harms_nobody(shared_platform: Any, tmp_path: Any) -> None:
    """A layer that leads out of its folder is refused, and the platform goes on."""
    version = shared_platform.push(
        make_image(python=shared_platform.python, weights={"../../../evil": b"x"}), "hostile"
    )
    done = shared_platform.run(version)
    assert done["status"] == "failed"
    assert "leaves the image" in done["error"]
    assert not list(shared_platform.data.root.rglob("evil"))


def test_many_requests_share_one_instance(shared_platform: Any) -> None:
    """Forty at once, from zero: all answered, each with its own answer, by one instance."""
    version = shared_platform.push(make_image(python=shared_platform.python, env=("OWN=1",)), "many")
    ids = [shared_platform.create(version, text=str(number))["id"] for number in range(40)]
    outputs = [shared_platform.until(prediction)["output"] for prediction in ids]
    assert outputs == [f"hello {number}" for number in range(40)]
    starts = [
        line for line in shared_platform.log.splitlines() if "instance_starting" in line and version in line
    ]
    assert len(starts) == 1


BATCHED = """
import cog
class Predictor:
    @cog.batched(max_size=4, max_wait=60)
    def predict(self, text: list[str]) -> list[str]:
        return [f"{one} of {len(text)}" for one in text]
"""
CONCURRENT = """
import asyncio
import cog
class Predictor:
    @cog.concurrent(max=3)
    async def predict(self, number: int) -> str:
        self.here = getattr(self, "here", 0) + 1
        while self.here < 3:
            await asyncio.sleep(0.01)
        return "together"
"""


def test_predictions_of_a_batched_model_run_together(shared_platform: Any) -> None:
    """An instance is given as many as a batch may hold, so that batches come about here too."""
    version = shared_platform.push(make_image(BATCHED, python=shared_platform.python), "batched")
    asked = [shared_platform.create(version, text=text) for text in "abcd"]
    assert [shared_platform.until(one["id"])["output"] for one in asked] == [
        f"{text} of 4" for text in "abcd"
    ]


def test_as_many_run_as_the_author_says_in_the_code(shared_platform: Any) -> None:
    """`@cog.concurrent(max=3)` alone is enough: three that wait for one another come to their end."""
    version = shared_platform.push(make_image(CONCURRENT, python=shared_platform.python), "concurrent")
    asked = [shared_platform.create(version, number=number) for number in range(3)]
    assert {shared_platform.until(one["id"])["output"] for one in asked} == {"together"}
