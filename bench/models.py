"""The models that are served, as Cog's predictors."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PREDICTORS = {
    "echo": """
class Predictor:
    def predict(self, text: str) -> str:
        return "hello " + text
""",
    "stream": """
import cog
class Predictor:
    @cog.streaming
    def predict(self, n: int) -> cog.ConcatenateIterator[str]:
        for number in range(n):
            yield f"token{number} "
""",
    "async_stream": """
import cog
class Predictor:
    @cog.streaming
    async def predict(self, n: int) -> cog.AsyncConcatenateIterator[str]:
        for number in range(n):
            yield f"token{number} "
""",
    "paced": """
import time, cog
class Predictor:
    @cog.streaming
    def predict(self, n: int) -> cog.ConcatenateIterator[str]:
        for number in range(n):
            time.sleep(0.001)
            yield f"token{number} "
""",
    "async_paced": """
import asyncio, cog
class Predictor:
    @cog.streaming
    async def predict(self, n: int) -> cog.AsyncConcatenateIterator[str]:
        for number in range(n):
            await asyncio.sleep(0.001)
            yield f"token{number} "
""",
    "slots": """
import asyncio, cog
class Predictor:
    @cog.concurrent(max=32)
    async def predict(self, text: str) -> str:
        await asyncio.sleep(0.01)
        return "hello " + text
""",
    "files": """
import pathlib, tempfile, cog
class Predictor:
    def predict(self, file: cog.Path) -> cog.Path:
        out = pathlib.Path(tempfile.mkdtemp()) / "out.bin"
        out.write_bytes(pathlib.Path(file).read_bytes())
        return cog.Path(out)
""",
    "cancel": """
import time
class Predictor:
    def predict(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"
""",
    "logs": """
class Predictor:
    def predict(self, n: int) -> int:
        for number in range(n):
            print(f"line {number} of what a model has to say")
        return n
""",
}


@functools.cache
def _document(kind: str) -> str:
    """Return the OpenAPI document of a model, as `cog build` puts it beside the predictor."""
    code = (
        "import asyncio, json, sys\n"
        "from pathlib import Path\n"
        "from cog_server.embedded import Model, ModelOptions\n"
        "async def main():\n"
        "    options = ModelOptions(python=Path(sys.executable), project=Path('.'), ref='predict.py:Predictor')\n"
        "    async with Model.start(options) as model:\n"
        "        print(json.dumps(model.schema))\n"
        "asyncio.run(main())\n"
    )
    with tempfile.TemporaryDirectory() as project:
        (Path(project) / "predict.py").write_text(PREDICTORS[kind])
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    json.loads(done.stdout)
    return done.stdout


def built(kind: str) -> dict[str, str]:
    """Return a project as `cog build` leaves it."""
    return {"predict.py": PREDICTORS[kind], ".cog/openapi_schema.json": _document(kind)}


def older(kind: str) -> dict[str, str]:
    """Return a project for Cog 0.16, whose predictors have a base class and whose slots are in cog.yaml."""
    source = PREDICTORS[kind].replace("class Predictor:", "class Predictor(BasePredictor):")
    source = source.replace("    @cog.concurrent(max=32)\n", "").replace("cog.Path", "Path")
    settings = 'build:\n  python_version: "3.11"\npredict: "predict.py:Predictor"\n'
    if kind == "slots":
        settings += "concurrency:\n  max: 32\n"
    return {"predict.py": f"from cog import BasePredictor, Path\n{source}", "cog.yaml": settings}
