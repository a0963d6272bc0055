"""What becomes of a training that succeeds: its version first, then its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cogyard.domain.deployables import of_training
from cogyard.domain.values import Kind, Prediction, Status, Version
from cogyard.features.predictions.moves import waiting
from cogyard.features.predictions.queue import Queue
from cogyard.features.trainings.finishing import TrainingWork
from cogyard.features.trainings.output import shown, weights_of
from cogyard.features.trainings.ports import CannotMakeVersionError, Weights
from cogyard.instances.work import Outcome
from cogyard.testing.handovers import FakeHandovers
from cogyard.testing.predictions import MemoryPredictions

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BASE = "a" * 64
TOKEN = "0" * 32
FILE = f"cogyard-file:{TOKEN}/weights.bin"
TRAINING = Prediction(
    id="0" * 26,
    model="ann/base",
    version=BASE,
    account_id=1,
    status=Status.STARTING,
    input={},
    created_at=NOW,
    stream_token="1" * 32,
    kind=Kind.TRAINING,
    destination="ann/tuned",
)


@dataclass
class Maker:
    """Makes a version, or says why not."""

    problem: str | None = None
    made: list[tuple[str, Weights]] = field(default_factory=list)

    async def make(self, training: Prediction, weights: Weights) -> Version:
        """Note what was asked for."""
        if self.problem is not None:
            raise CannotMakeVersionError(self.problem)
        self.made.append((training.id, weights))
        return Version(id="b" * 64, model="ann/tuned", created_at=NOW, cog_version="", openapi_schema={})


async def _ended(maker: Maker, outcome: Outcome, training: Prediction = TRAINING) -> Prediction:
    store = MemoryPredictions()
    work = TrainingWork(queue=Queue(store=store, handovers=FakeHandovers()), maker=maker)
    deployable = of_training(BASE) if training.kind is Kind.TRAINING else BASE
    await store.add(training, waiting(deployable, None))
    claim = await work.claim(deployable, instance="i")
    assert claim is not None
    assert await work.started(training.id, claim.lease_token)
    assert await work.finished(training.id, claim.lease_token, outcome)
    return store.predictions[training.id]


@pytest.mark.parametrize(
    ("output", "kept"),
    [(FILE, {}), ({"weights": FILE, "loss": 0.5}, {"loss": 0.5}), ({"weights": "https://a.test/w"}, {})],
)
async def test_a_training_that_succeeds_names_its_version(output: Any, kept: dict[str, Any]) -> None:
    """And its weights, and keeps what else train() said."""
    maker = Maker()
    ended = await _ended(maker, Outcome(status="succeeded", output=output))
    address = output if isinstance(output, str) else output["weights"]
    assert ended.status is Status.SUCCEEDED
    assert ended.output == {**kept, "version": f"ann/tuned:{'b' * 64}", "weights": address}
    assert maker.made == [(TRAINING.id, weights_of(output))]


@pytest.mark.parametrize("output", [None, 5, "words", {"weights": None}, [FILE], {}])
async def test_a_training_without_weights_fails(output: Any) -> None:
    """The reason says what train() has to return."""
    ended = await _ended(Maker(), Outcome(status="succeeded", output=output))
    assert ended.status is Status.FAILED
    assert "weights" in str(ended.error)


async def test_what_cannot_be_made_fails_the_training() -> None:
    """With the maker's reason."""
    ended = await _ended(Maker(problem="the disk is full"), Outcome(status="succeeded", output=FILE))
    assert (ended.status, ended.error) == (Status.FAILED, "the disk is full")


async def test_a_training_that_yields_fails() -> None:
    """What a training is for is one result."""
    ended = await _ended(Maker(), Outcome(status="succeeded", streamed=True))
    assert ended.status is Status.FAILED


async def test_a_failed_training_and_a_prediction_make_nothing() -> None:
    """Their outcomes pass as they are."""
    maker = Maker()
    failed = await _ended(maker, Outcome(status="failed", error="no"))
    plain = await _ended(
        maker,
        Outcome(status="succeeded", output=FILE),
        msgspec.structs.replace(TRAINING, kind=Kind.PREDICTION),
    )
    assert (failed.status, failed.error) == (Status.FAILED, "no")
    assert plain.output == FILE
    assert maker.made == []


def test_the_version_wins_over_what_train_calls_so() -> None:
    """A `version` of the author's does not hide ours."""
    assert shown({"version": "mine"}, Weights(address="w"), "o/n:v") == {"version": "o/n:v", "weights": "w"}
