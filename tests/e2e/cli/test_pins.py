"""Models that pin old and new releases of what servers of models usually need themselves: they run all the same."""

from __future__ import annotations

import json
import sys

import pytest

from tests.e2e.cli.conftest import HERE, Command

pytestmark = [pytest.mark.network, pytest.mark.slow]

OLD = [
    "pydantic==1.10.26",
    "fastapi==0.95.2",
    "uvicorn==0.20.0",
    "numpy==1.26.4",
    "protobuf==3.20.3",
    "uvloop==0.17.0",
]
NEW = [
    "pydantic>=2.11",
    "fastapi",
    "numpy>=2",
    "protobuf>=6",
    "uvloop>=0.21",
    "pillow",
    "msgspec",
    "httptools",
]
SOURCE = """
import asyncio
from importlib.metadata import version
import fastapi, numpy, pydantic, uvloop
from google.protobuf import struct_pb2
from typing import Optional
from cog import BasePredictor, Input, Path, Secret

class Options(pydantic.BaseModel):
    steps: int = 3
    names: list[str] = []
    file: Optional[Path] = None
    key: Secret = Secret("")

class Result(pydantic.BaseModel):
    matrix: list[list[float]]
    steps: int
    text: Optional[str]
    versions: dict[str, str]

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
app = fastapi.FastAPI()

class Predictor(BasePredictor):
    async def predict(self, options: Options, size: int = Input(default=2)) -> Result:
        assert isinstance(options, Options)
        assert struct_pb2.Struct() is not None
        text = f"{options.key.get_secret_value()}{options.names}{options.file and options.file.read_text()}"
        names = ("pydantic", "fastapi", "numpy", "protobuf", "uvloop")
        versions = {name: version(name) for name in names}
        return Result(matrix=numpy.eye(size).tolist(), steps=options.steps, text=text, versions=versions)
"""


def run(cog: Command, packages: list[str], *arguments: str, ref: str = "Predictor") -> str:
    """Run the model in an environment with these packages; skip where no index gives them."""
    listed = "".join(f"    - {package!r}\n" for package in packages)
    (cog.folder / "cog.yaml").write_text(
        f'build:\n  python_version: "{HERE}"\n  python_packages:\n{listed}predict: predict.py:{ref}\n'
    )
    done = cog("predict", *arguments)
    if done.returncode and "index" in done.stderr:
        pytest.skip(f"no package index gives {packages}: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the old releases have no wheels for this Python")
def test_a_model_with_old_pins_runs(cog: Command) -> None:
    """Pydantic 1, an old FastAPI, NumPy, protobuf and uvloop: the versions are the author's, exactly."""
    (cog.folder / "predict.py").write_text(SOURCE)
    found = json.loads(run(cog, OLD, "-i", 'options={"steps": 5, "key": "k", "file": "data:,hi"}'))
    assert found["matrix"] == [[1.0, 0.0], [0.0, 1.0]]
    assert (found["steps"], found["text"]) == (5, "k[]hi")
    assert {f"{name}=={number}" for name, number in found["versions"].items()} <= set(OLD)


def test_a_model_with_new_pins_runs(cog: Command) -> None:
    """The newest of the same, beside packages that the server has in other versions."""
    (cog.folder / "predict.py").write_text(SOURCE)
    found = json.loads(run(cog, NEW, "-i", 'options={"names": ["a"]}', "-i", "size=1"))
    assert (found["matrix"], found["steps"], found["text"]) == ([[1.0]], 3, "['a']None")
    assert found["versions"]["pydantic"].startswith("2.")


ARRAYS = """
import numpy
from PIL import Image
from typing import Any
from cog import BaseModel, Input

class Output(BaseModel):
    matrix: numpy.ndarray
    scalar: Any
    picture: Image.Image
    whole: Any

def run(weights: numpy.ndarray = Input(default=[[1.0]])) -> Output:
    assert isinstance(weights, numpy.ndarray) and weights.shape == (2, 2) and weights.sum() == 10
    picture = Image.fromarray(numpy.zeros((2, 3, 3), dtype=numpy.uint8))
    matrix = numpy.arange(4).reshape(2, 2)
    return Output(matrix=matrix, scalar=numpy.float32(1.5), picture=picture, whole=numpy.int64(7))
"""


@pytest.mark.parametrize("numpy", ["numpy==1.26.4", "numpy>=2"])
def test_arrays_and_pictures_are_outputs(cog: Command, numpy: str) -> None:
    """NumPy's arrays and scalars are JSON, a picture is a file, wherever in the output they stand; an array goes in."""
    (cog.folder / "predict.py").write_text(ARRAYS)
    found = json.loads(run(cog, [numpy, "pillow"], "-i", "weights=[[1, 2], [3, 4]]", ref="run"))
    assert (found["matrix"], found["scalar"], found["whole"]) == ([[0, 1], [2, 3]], 1.5, 7)
    assert (cog.folder / found["picture"]).read_bytes().startswith(b"\x89PNG")
