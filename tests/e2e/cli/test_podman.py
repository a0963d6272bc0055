"""An image run by podman whose containers have the machine's own network, so that no port is published."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.image.test_step_engines import podman_client

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.xdist_group("images")]
COG = Path(sys.executable).parent / "cog"
IMAGE = "cogyard-podman-test"
PREDICT = """\
import os
from pathlib import Path

from cog import BasePredictor


class Predictor(BasePredictor):
    def predict(self, text: str) -> str:
        port = f"{int(os.environ['PORT']):04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        places = {line[1].split(":")[0] for line in lines if line[1].endswith(f":{port}") and line[3] == "0A"}
        return f"{text} {sorted(places)}"
"""


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the podman command with settings that work here: containers on the machine's network."""
    with (
        tempfile.TemporaryDirectory(prefix="cogyard-podman-") as folder,
        podman_client(Path(folder), monkeypatch),
    ):
        yield


@pytest.mark.usefixtures("podman")
def test_a_model_is_reached_where_no_port_is_published(tmp_path: Path, cache: Path) -> None:
    """It answers at once, and listens on this machine's loopback alone."""
    (tmp_path / "cog.yaml").write_text('build: {python_version: "3.11"}\npredict: predict.py:Predictor\n')
    (tmp_path / "predict.py").write_text(PREDICT)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COG")}
    own = {"COGYARD_CACHE_DIR": str(cache), "UV_PYTHON_DOWNLOADS": "never"}
    built = subprocess.run(
        [COG, "build", "-t", IMAGE, "--no-load"], cwd=tmp_path, env={**kept, **own}, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    if built.returncode:
        pytest.skip(f"an image cannot be built here: {built.stderr[-300:]}")
    done = subprocess.run(
        [COG, "predict", IMAGE, "--engine", "podman", "-i", "text=a"], cwd=tmp_path, env={**kept, **own},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "a ['0100007F']\n"), done.stderr
