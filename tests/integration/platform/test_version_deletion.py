"""A version deleted from a real platform, which is killed at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

COGYARD = Path(sys.executable).with_name("cogyard")


def test_a_deleted_version_is_gone_after_a_kill_too(stopped: Any, model: Any) -> None:
    """Its predictions and its image; layers that another version has too stay, the others are collected."""
    stopped.start()
    image, other = model("return 'gone'"), model("return 'stays'")
    version, stays = stopped.push(image, "doomed"), stopped.push(other, "doomed")
    ids = [stopped.run(each)["id"] for each in (version, version, stays)]
    path = f"/v1/models/tester/doomed/versions/{version}"
    assert stopped.http.delete(path).status_code == 202
    stopped.end(signal.SIGKILL)
    stopped.start()
    assert stopped.http.get(path).status_code == 404
    manifests = "/v2/tester/doomed/manifests/sha256:"
    assert stopped.http.head(f"{manifests}{version}").status_code == 404
    assert stopped.http.head(f"{manifests}{stays}").status_code == 200
    stopped.wait_for(
        lambda: [stopped.http.get(f"/v1/predictions/{each}").status_code for each in ids] == [404, 404, 200]
    )
    stopped.end(signal.SIGINT)
    command = [COGYARD, "gc", "--older-than", "0", "--data-dir", stopped.data.root]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    stopped.start()
    alone = image.blobs.keys() - other.blobs.keys()
    assert alone
    for digest in image.blobs:
        status = stopped.http.head(f"/v2/tester/doomed/blobs/{digest}").status_code
        assert status == (404 if digest in alone else 200)
    assert stopped.http.get(f"/v1/predictions/{ids[2]}").json()["status"] == "succeeded"
