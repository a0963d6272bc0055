"""Inputs that models share, and signatures that a source alone does not tell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cog.errors import NotInSourceError, SchemaError
from cog.schema import openapi, read_object, read_source
from cog.worker.load import load
from cog.worker.model import Model

HELPERS = '''
from dataclasses import dataclass
from cog import Input

PROMPT = Input(description="What to draw")

class Inputs:
    steps = Input(default=4, ge=1)

    @staticmethod
    def guidance() -> float:
        return Input(default=2.5)

@dataclass
class Shared:
    seed: Input = Input(default=None, description="Random unless given")
    ratio: Input = Input(default="1:1", choices=["1:1", "16:9"])

SHARED = Shared()
FORMATS = ["webp", "png"]

def output_format() -> str:
    """The format of the picture."""
    return Input(choices=FORMATS, default=FORMATS[0])
'''
SHARED = """
import helpers
from cog import Input
from helpers import PROMPT, SHARED, Inputs

def make(config):
    return config

class Karras: ...
SCHEDULERS = {"a": make, "b": Karras, "c": len}

class Predictor:
    def predict(
        self,
        prompt: str = PROMPT,
        steps: int = Inputs.steps,
        guidance: float = Inputs.guidance(),
        seed: int = SHARED.seed,
        ratio: str = helpers.SHARED.ratio,
        kind: str = helpers.output_format(),
        scheduler: str = Input(choices=SCHEDULERS.keys(), default=list(SCHEDULERS)[1]),
        other: str = Input(choices=[name for name, value in SCHEDULERS.items()]),
    ) -> str:
        return prompt
"""
PREDICT = "class Predictor:\n    def predict(self, n: int = {}) -> {}:\n        return ''\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that can be imported from, and forget its modules afterwards."""
    (tmp_path / "helpers.py").write_text(HELPERS)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in ("predict", "helpers", "learn"):
        sys.modules.pop(name, None)


def test_shared_inputs_are_followed(project: Path) -> None:
    """A constant, an attribute of a class or of its instance and a function's only line stand for their Input()."""
    (project / "predict.py").write_text(SHARED)
    found = read_source(project, "predict.py:Predictor")
    assert found == read_object(load("predict.py:Predictor", str(project)))
    inputs = openapi(found)["components"]["schemas"]
    assert inputs["Input"]["required"] == ["prompt", "other"]
    assert inputs["scheduler"]["enum"] == ["a", "b", "c"]
    assert inputs["ratio"]["enum"] == ["1:1", "16:9"]


@pytest.mark.parametrize(
    "source",
    [
        "import os\n" + PREDICT.format('int(os.environ.get("N", "1"))', "str"),
        "import somewhere\n" + PREDICT.format("1", "somewhere.Answer"),
        "from somewhere import *\n" + PREDICT.format("1", "Answer"),
        "from somewhere import Predictor\n",
        "from somewhere import Base\nclass Predictor(Base):\n    pass\n",
        "import cog\nSAID = make()\n" + PREDICT.format("cog.Input(**SAID)", "str"),
        "class Predictor:\n    predict = make()\n",
        "import cog\nVALUES = {'a': make()}\n" + PREDICT.format("cog.Input(choices=VALUES.values())", "str"),
        "import cog\nVALUES = {'a': make()}\n" + PREDICT.format("cog.Input(description=f'{VALUES}')", "str"),
        "import cog\nclass I:\n    def __init__(self):\n        self.n = cog.Input(default=2)\n    n = 1\n"
        "one = I()\n" + PREDICT.format("one.n", "str"),
    ],
)
def test_what_only_running_code_tells_is_an_error_of_its_own(project: Path, source: str) -> None:
    """Where the code may know what its source does not say, the error says so."""
    (project / "predict.py").write_text(source)
    with pytest.raises(NotInSourceError) as raised:
        read_source(project, "predict.py:Predictor")
    assert raised.value.path == "predict.py"


@pytest.mark.parametrize(
    "source",
    [
        PREDICT.format("1", "Answer"),
        "class Predictor:\n    pass\n",
        "class Other:\n    pass\n",
        "import cog\n" + PREDICT.format("cog.Input(defualt=1)", "str"),
    ],
)
def test_what_is_wrong_however_it_runs_is_not(project: Path, source: str) -> None:
    """A mistake that running the code would only repeat is told at once."""
    (project / "predict.py").write_text(source)
    with pytest.raises(SchemaError) as raised:
        read_source(project, "predict.py:Predictor")
    assert not isinstance(raised.value, NotInSourceError)


def test_a_training_that_its_source_does_not_tell_is_loaded(project: Path) -> None:
    """The running model's document has its training, though only the training's code knows a default."""
    (project / "predict.py").write_text(PREDICT.format("1", "str"))
    (project / "learn.py").write_text(
        "import os\ndef train(n: int = int(os.environ.get('NOT_SAID', '7'))) -> str: ...\n"
    )
    model = Model(load("predict.py:Predictor", str(project)), environ={})
    document, error = model.document("learn.py:train", str(project))
    assert error is None
    assert document["components"]["schemas"]["TrainingInput"]["properties"]["n"]["default"] == 7
