"""The whole platform with models in sandboxes."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from cogyard.instances.probe import probe_sandbox
from cogyard.testing.whole_images import make_whole_image

SHOUT = """
import os
from cog import BasePredictor, Path

class Predictor(BasePredictor):
    def predict(self, image: Path) -> Path:
        out = Path("result.txt")
        out.write_text(image.read_text().upper() + ",".join(os.listdir("/home") if os.path.isdir("/home") else []))
        return out
"""

SLOW = """
import time
from cog import BasePredictor, idempotent

class Predictor(BasePredictor):
    @idempotent
    def predict(self, seconds: float) -> str:
        time.sleep(seconds)
        return "done"
"""


@pytest.fixture
def sandboxed(stopped: Any) -> Any:
    """Give a platform that runs models in sandboxes, not started yet."""
    found = probe_sandbox()
    if found.reason is not None:
        pytest.skip(f"no sandboxes here: {found.reason}")
    stopped.settings["runtime"] = "sandbox"
    return stopped


def test_files_reach_a_model_without_a_network(sandboxed: Any) -> None:
    """An uploaded file comes in, a made file comes out, though the model reaches nothing but the gate."""
    sandboxed.start()
    assert "Models run isolated (sandbox)." in sandboxed.log
    version = sandboxed.push(make_whole_image(SHOUT), "shout")
    uploaded = sandboxed.http.post("/v1/files", files={"content": ("a.txt", b"abc", "text/plain")}).json()
    done = sandboxed.run(version, image=uploaded["urls"]["get"])
    assert done["status"] == "succeeded", done
    assert sandboxed.http.get(done["output"]).content == b"ABC"
    inline = sandboxed.run(version, image="data:text/plain;base64,eHl6")
    assert sandboxed.http.get(inline["output"]).content == b"XYZ"


def test_an_image_without_a_base_is_refused_with_the_reason(sandboxed: Any) -> None:
    """A version that only the process runtime could run says so in its prediction."""
    sandboxed.start()
    done = sandboxed.run(sandboxed.push(sandboxed.file_model(), "bare"), image="data:,x")
    assert done["status"] == "failed"
    assert "does not say how its model server is started" in done["error"]


def test_a_killed_platform_leaves_no_sandbox(sandboxed: Any) -> None:
    """Everything ends with the platform; the next start runs what was interrupted, where that is safe."""
    sandboxed.start()
    version = sandboxed.push(make_whole_image(SLOW), "slow")
    running = sandboxed.create(version, seconds=3)
    sandboxed.until(running["id"], "processing")
    assert sandboxed.instances()
    sandboxed.end(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while sandboxed.instances():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sandboxed.start()
    assert sandboxed.until(running["id"])["output"] == "done"
    assert not list(Path(sandboxed.data.instances).glob("*"))


def test_a_sandbox_without_the_filter_is_told_of(sandboxed: Any) -> None:
    """The log says at the start why system calls are not filtered; by default they are, and it says nothing."""
    sandboxed.start()
    assert "sandboxes_unfiltered" not in sandboxed.log or probe_sandbox().unfiltered
    sandboxed.end(signal.SIGINT)
    sandboxed.settings["sandbox_seccomp"] = "false"
    sandboxed.start()
    assert 'sandboxes_unfiltered reason="sandbox_seccomp is off"' in sandboxed.log
