"""Trainings on a real platform: a version that is trained makes another one, which runs with what was learned."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.testing.images import TestImage, make_image

SOURCE = """
import json
import time
import cog

class Predictor(cog.BasePredictor):
    def setup(self, weights: cog.Path | None = None) -> None:
        self.word = json.loads(weights.read_text())["word"] if weights else "nothing"

    def predict(self) -> str:
        return f"learned {self.word}"

class Learned(cog.BaseModel):
    weights: cog.Path
    length: int

def train(word: str, slow: bool = False) -> Learned:
    print("learning")
    if slow:
        time.sleep(600)
    if word == "none":
        raise ValueError("there is nothing to learn")
    path = cog.Path("learned.json")
    path.write_text(json.dumps({"word": word}))
    return Learned(weights=path, length=len(word))
"""


def _image(python: str) -> TestImage:
    return make_image(SOURCE, python=python, cog={"train": "predict.py:train"})


def _begin(platform: Any, version: str, word: str, **more: Any) -> dict[str, Any]:
    answer = platform.http.post(
        f"/v1/models/tester/base/versions/{version}/trainings",
        json={"destination": "tester/tuned", "input": {"word": word, **more}},
    )
    assert answer.status_code == 201, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


@pytest.fixture(scope="module")
def base(shared_platform: Any) -> str:
    """Push a model that can be trained, and make the model that its trainings are for."""
    version: str = shared_platform.push(_image(shared_platform.python), "base")
    body = {"owner": "tester", "name": "tuned", "visibility": "private", "hardware": "cpu"}
    shared_platform.http.post("/v1/models", json=body).raise_for_status()
    return version


def test_a_training_makes_a_version_that_runs(shared_platform: Any, base: str) -> None:
    """Its output names the version and the weights; the version has them, and can be trained again."""
    begun = _begin(shared_platform, base, "one")
    done = shared_platform.until(begun["id"])
    assert done["status"] == "succeeded", done
    assert "learning" in done["logs"]
    made = done["output"]["version"]
    assert made.startswith("tester/tuned:")
    assert done["output"]["length"] == 3
    assert shared_platform.http.get(done["output"]["weights"]).json() == {"word": "one"}
    version = made.partition(":")[2]
    assert shared_platform.run(version)["output"] == "learned one"
    assert shared_platform.run(base)["output"] == "learned nothing"
    again = shared_platform.http.post(
        f"/v1/models/tester/tuned/versions/{version}/trainings",
        json={"destination": "tester/tuned", "input": {"word": "more"}},
    ).json()
    further = shared_platform.until(again["id"])["output"]["version"].partition(":")[2]
    assert shared_platform.run(further)["output"] == "learned more"
    listed = shared_platform.http.get("/v1/models/tester/tuned").json()
    assert listed["latest_version"]["id"] == further


def test_a_training_that_raises_makes_nothing(shared_platform: Any, base: str) -> None:
    """It fails with the exception's words."""
    done = shared_platform.until(_begin(shared_platform, base, "none")["id"])
    assert (done["status"], done["error"]) == ("failed", "there is nothing to learn")


def test_a_running_training_can_be_stopped(shared_platform: Any, base: str) -> None:
    """By the address of a prediction as well as by its own (wire gotcha 15); predictions go on meanwhile."""
    begun = _begin(shared_platform, base, "slow", slow=True)
    shared_platform.wait_for(lambda: "learning" in (shared_platform.get(begun["id"])["logs"] or ""))
    assert shared_platform.run(base)["status"] == "succeeded"
    assert shared_platform.http.post(f"/v1/predictions/{begun['id']}/cancel").json()["status"] == "canceled"
    assert shared_platform.http.get(f"/v1/trainings/{begun['id']}").json()["status"] == "canceled"
    assert shared_platform.until(_begin(shared_platform, base, "after")["id"])["status"] == "succeeded"


def test_two_trainings_of_a_version_run_at_once(shared_platform: Any, base: str) -> None:
    """Both have begun while neither has ended; a third waits, and each can be stopped."""
    begun = [_begin(shared_platform, base, f"slow {number}", slow=True)["id"] for number in range(3)]
    shared_platform.wait_for(
        lambda: sum("learning" in (shared_platform.get(each)["logs"] or "") for each in begun) == 2
    )
    assert sorted(shared_platform.get(each)["status"] for each in begun) == [
        "processing",
        "processing",
        "starting",
    ]
    for each in begun:
        assert shared_platform.http.post(f"/v1/trainings/{each}/cancel").json()["status"] == "canceled"
