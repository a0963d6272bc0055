"""The whole platform on a machine with two GPUs; ordinary character devices stand in for them."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from cogyard.instances.probe import probe_sandbox
from cogyard.testing.images import TestImage
from cogyard.testing.whole_images import make_whole_image

SOURCE = """
import os, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, seconds: float = 0) -> str:
        time.sleep(seconds)
        nodes = sorted(name for name in os.listdir("/dev") if name.startswith("nvidia"))
        return ",".join([*nodes, os.environ["NVIDIA_VISIBLE_DEVICES"], os.environ["CUDA_VISIBLE_DEVICES"], "NAME"])
"""


def _image(name: str) -> TestImage:
    return make_whole_image(SOURCE.replace("NAME", name))


@pytest.fixture
def with_gpus(stopped: Any, tmp_path: Path) -> Any:
    """Start a platform whose every model wants one of two GPUs."""
    found = probe_sandbox()
    if found.reason is not None or not found.overlay:
        pytest.skip(f"no sandboxes with GPUs here: {found.reason or 'nobody may mount an overlay'}")
    devices = [
        {
            "name": name,
            "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{name}", "hostPath": real}]},
        }
        for name, real in (("0", "/dev/zero"), ("1", "/dev/full"))
    ]
    specs = tmp_path / "cdi"
    specs.mkdir()
    document = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": devices}
    (specs / "nvidia.json").write_text(json.dumps(document))
    kinds = [{"sku": "gpu", "cpus": 0.1, "memory": "512MiB", "gpus": 1}]
    stopped.settings |= {
        "runtime": "sandbox",
        "cdi_spec_dirs": str(specs),
        "hardware": json.dumps(kinds),
        "max_instances": "4",
    }
    stopped.start()
    return stopped


def _two_at_once(platform: Any, versions: list[str]) -> set[str]:
    """Run both at the same time, each for a while, and return which GPU each had."""
    running = [platform.create(version, seconds=2) for version in versions]
    return {platform.until(each["id"])["output"].rpartition(",")[0] for each in running}


def test_no_two_instances_share_a_gpu(with_gpus: Any) -> None:
    """Two models have one each, before and after the platform was killed; a third waits until one is free."""
    one, two, three = (with_gpus.push(_image(name), name) for name in ("one", "two", "three"))
    apart = {"nvidia0,0,0", "nvidia1,1,0"}
    assert _two_at_once(with_gpus, [one, two]) == apart
    with_gpus.end(signal.SIGKILL)
    with_gpus.start()
    assert _two_at_once(with_gpus, [one, two]) == apart
    waited = with_gpus.run(three)
    assert waited["status"] == "succeeded", waited
    assert waited["output"].rpartition(",")[0] in apart


def test_a_kind_that_no_machine_can_give_is_refused(with_gpus: Any) -> None:
    """Three GPUs of two are said to be too many before anything starts."""
    with_gpus.end(signal.SIGINT)
    with_gpus.settings["hardware"] = json.dumps([{"sku": "gpu", "cpus": 0.1, "memory": "512MiB", "gpus": 3}])
    with pytest.raises(pytest.fail.Exception, match="3 GPUs of 2"):
        with_gpus.start()


LISTED = """#!/bin/sh
[ "$1" = -L ] || exit 1
echo 'GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c)'
echo '  MIG 3g.20gb     Device  0: (UUID: MIG-large)'
echo '  MIG 1g.5gb      Device  1: (UUID: MIG-small)'
"""


@pytest.fixture
def with_slices(with_gpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start the platform on a machine whose one GPU is cut into two slices of different kinds."""
    with_gpus.end(signal.SIGINT)
    devices = [
        {
            "name": name,
            "containerEdits": {
                "deviceNodes": [{"path": f"/dev/nvidia-caps/nvidia-cap{cap}", "hostPath": real}]
            },
        }
        for name, cap, real in (("0:0", 12, "/dev/zero"), ("0:1", 21, "/dev/full"))
    ]
    document = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": devices}
    (tmp_path / "cdi" / "nvidia.json").write_text(json.dumps(document))
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(LISTED)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    kinds = [
        {"sku": sku, "cpus": 0.1, "memory": "512MiB", "gpus": 1, "gpu_kind": kind}
        for sku, kind in (("large", "MIG 3g"), ("small", "mig 1g.5gb"))
    ]
    # Whoever has nothing to do gives its slice back soon.
    with_gpus.settings |= {"hardware": json.dumps(kinds), "idle_timeout": "3"}
    with_gpus.start()
    return with_gpus


def test_slices_are_given_by_their_kind(with_slices: Any) -> None:
    """A model of a kind gets a slice of that kind, whichever is free; the second of a kind waits for the first."""
    one, two = (with_slices.push(_image(name), name) for name in ("one", "two"))
    assert _two_at_once(with_slices, [one, two]) == {"nvidia-caps,0:0,MIG-large"}
    changed = with_slices.http.patch("/v1/models/tester/two", json={"hardware": "small"})
    assert changed.status_code == 200, changed.text
    metrics = with_slices.http.get("/metrics").text
    assert 'cogyard_hardware{kind="MIG 3g",resource="gpus"} 1.0' in metrics
    with_slices.run(two)  # Perhaps by the instance that lives, which goes after that.
    held = 'cogyard_hardware_held{kind="MIG 3g",resource="gpus"} '
    deadline = time.monotonic() + 60
    while f"{held}0.0" not in with_slices.http.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert _two_at_once(with_slices, [one, two]) == {"nvidia-caps,0:0,MIG-large", "nvidia-caps,0:1,MIG-small"}


def test_a_kind_of_gpu_that_is_not_here_is_refused(with_slices: Any) -> None:
    """What the operator calls a kind must be what the driver calls one."""
    with_slices.end(signal.SIGINT)
    with_slices.settings["hardware"] = json.dumps([{"sku": "gpu", "gpus": 1, "gpu_kind": "H100"}])
    with pytest.raises(pytest.fail.Exception, match="1 GPUs of kind 'H100' of 0"):
        with_slices.start()
