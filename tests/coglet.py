"""Images as Cog makes them: coglet inside, Cog's labels, nothing of ours."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import uv
from cogyard.oci.config import RunConfig
from cogyard.testing.images import TestImage, schema_of
from cogyard.testing.whole_images import VERSION, assemble_image, base_layers, folder_layer, tar_layer

#: As authors write for Cog 0.23: its own SDK, a file out.
FOR_COG = """
from cog import BasePredictor, Input, Path

class Predictor(BasePredictor):
    def setup(self):
        self.greeting = "hello"

    def predict(self, text: str = Input(default="you"), file: Path = Input(default=None)) -> Path:
        print("greeting")
        out = Path("/tmp/out.txt")
        out.write_text(f"{self.greeting} {text}" + (file.read_text() if file else ""))
        return out
"""


@functools.cache
def cog_image() -> TestImage:
    """Make an image as Cog 0.23 does. Skips without a package index."""
    folder = Path(tempfile.mkdtemp(prefix="cogyard-"))
    command = [uv.find_uv_bin(), "pip", "install", "-q", "--python", sys.executable, "--target", str(folder)]
    done = subprocess.run([*command, "cog==0.23.1"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"coglet could not be fetched: {done.stderr.strip().splitlines()[-1:]}")
    linked = [path for path in folder.rglob("*.so*") if path.is_file()]
    schema = json.dumps(schema_of(FOR_COG))
    config = {"build": {"python_version": VERSION}, "predict": "predict.py:Predictor"}
    return assemble_image(
        [
            base_layers()[0],
            folder_layer("", folder, f"usr/local/lib/python{VERSION}/site-packages", linked),
            tar_layer(
                "", {"src/predict.py": FOR_COG.encode(), "src/cog.yaml": b"predict: predict.py:Predictor\n"}
            ),
        ],
        RunConfig(
            cmd=["python", "-m", "cog.server.http"],
            working_dir="/src",
            env=[
                "PATH=/usr/local/bin:/usr/bin:/bin",
                # Debian's interpreter, which this may be a copy of, looks into dist-packages.
                f"PYTHONPATH=/usr/local/lib/python{VERSION}/site-packages",
                "COG_PREDICT_TYPE_STUB=predict.py:Predictor",
            ],
            labels={
                "run.cog.version": "0.23.1",
                "run.cog.config": json.dumps(config),
                "run.cog.openapi_schema": schema,
                "run.cog.has_init": "false",
            },
        ),
    )
