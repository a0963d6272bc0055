"""Trainings beside predictions, in HTTP and in process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cog_server.embedded import Completed, Model, ModelOptions

from tests.integration.model_server.live import serving

SOURCE = """
import cog
class Predictor:
    def predict(self, text: str) -> str:
        return "predicted " + text
def train(steps: int = cog.Input(ge=1)) -> cog.Path:
    path = cog.Path("weights.txt")
    path.write_text(f"trained {steps}")
    return path
"""


@pytest.fixture
def trainable(tmp_path: Path) -> Path:
    """Return a project with a predictor and a training function."""
    (tmp_path / "predict.py").write_text(SOURCE)
    return tmp_path


def test_trainings_have_a_worker_of_their_own(trainable: Path) -> None:
    """A training is checked and run like a prediction, at its own address; predictions go on."""
    with serving(trainable, "predict.py:Predictor", "--train-ref", "predict.py:train") as server:
        assert server.client.get("/").json()["trainings_url"] == "/trainings"
        found = server.client.post("/trainings", json={"id": "t1", "input": {"steps": 3}}).json()
        assert (found["status"], found["output"]) == ("succeeded", "data:text/plain;base64,dHJhaW5lZCAz")
        assert server.client.get("/trainings/t1").json()["id"] == "t1"
        assert server.client.get("/predictions/t1").status_code == 404
        wrong = server.client.post("/trainings", json={"input": {"steps": 0}})
        assert wrong.status_code == 422
        assert server.result({"text": "x"})["output"] == "predicted x"


@pytest.mark.anyio
async def test_a_training_in_process(trainable: Path) -> None:
    """`cog train` runs the training function without HTTP."""
    chosen = ModelOptions(
        python=Path(sys.executable), project=trainable, ref=None, train_ref="predict.py:train", mode="train"
    )
    async with Model.start(chosen) as model:
        async for event in model.predict({"steps": 2}):
            if isinstance(event, Completed):
                assert event.output.path.read_text() == "trained 2"
                break
        else:
            raise AssertionError("it did not complete")


def test_the_limit_of_predictions_is_not_that_of_trainings(trainable: Path) -> None:
    """--predict-timeout stops a prediction that takes as long as a training may."""
    slow = SOURCE.replace("        return", "        import time; time.sleep(0.8)\n        return")
    slow = slow.replace("    path = cog", "    import time; time.sleep(0.8)\n    path = cog")
    (trainable / "predict.py").write_text(slow)
    arguments = ("--train-ref", "predict.py:train", "--predict-timeout", "0.4")
    with serving(trainable, "predict.py:Predictor", *arguments) as server:
        assert server.result({"text": "a"})["status"] == "failed"
        trained = server.client.post("/trainings", json={"input": {"steps": 3}}).json()
        assert trained["status"] == "succeeded"
