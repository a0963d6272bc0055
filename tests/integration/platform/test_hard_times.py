"""A full disk and a clock that jumps: what was accepted stays, what cannot be is refused in words, and all goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.platform.conftest import LivePlatform
from tests.small_disk import small_disk

#: Unpacking a model keeps 512 MiB free, so a disk must be a little larger to be full of something else.
_DISK = 640 << 20


@pytest.fixture
def on_a_small_disk(tmp_path: Path) -> Iterator[LivePlatform]:
    """Give a platform whose data folder is on a disk of 640 MiB, not started."""
    with small_disk(tmp_path / "data", f"size={_DISK}"):
        platform = LivePlatform(tmp_path)
        yield platform
        platform.close()


def test_a_full_disk_refuses_in_words_and_loses_nothing(on_a_small_disk: LivePlatform, model: Any) -> None:
    """Creates and uploads answer 507 while there is no room; what was accepted runs, and room given back is used."""
    platform = on_a_small_disk
    platform.start()
    version = platform.push(model("return text * 3", inputs="text: str"), "small")
    accepted = {platform.run(version, text="warm")["id"]: "warm"}
    ballast = platform.data.root / "ballast"
    with ballast.open(
        "wb", buffering=0
    ) as file:  # a buffer's rest would meet the full disk again when it is closed
        try:
            while True:
                file.write(b"x" * 65_536)
        except OSError:
            pass  # full, which is what was wanted
    # The database's log has room of its own, so the first are accepted on a full disk too.
    refused = 0
    for number in range(3_000):
        body = {"version": version, "input": {"text": f"{number}-" + "y" * 20_000}}
        answer = platform.http.post("/v1/predictions", json=body)
        if answer.status_code in {201, 202}:
            accepted[answer.json()["id"]] = body["input"]["text"]  # type: ignore[index]  # a text of ours
        else:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            assert answer.status_code == 507, answer.text
            assert "room" in answer.json()["detail"], answer.text
            refused += 1
        if refused == 20:
            break
    upload = platform.http.post("/v1/files", files={"content": ("a.bin", b"z" * 3_000_000)})
    assert upload.status_code == 507, upload.text
    assert refused == 20
    assert platform.http.get("/healthz").status_code == 200
    ballast.unlink()
    for prediction, text in accepted.items():
        found = platform.until(prediction)
        assert (found["status"], found["output"]) == ("succeeded", text * 3), found["error"]
    assert platform.run(version, text="again")["status"] == "succeeded"
    assert platform.end(signal.SIGINT) == 0


def test_a_disk_that_is_full_at_the_start_is_said(on_a_small_disk: LivePlatform) -> None:
    """No traceback: which disk, and what to do."""
    platform = on_a_small_disk
    (platform.data.root / "ballast").write_bytes(b"x" * (_DISK - 8192))
    with pytest.raises(pytest.fail.Exception):
        platform.start()
    assert "Traceback" not in platform.log
    assert "No room is left on the disk" in platform.log
