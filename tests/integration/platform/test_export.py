"""All that is one account's, as files a person can read; nothing of others, and nothing that opens anything."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

COGYARD = Path(sys.executable).with_name("cogyard")


def _cogyard(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COGYARD_")}
    command = [str(part) for part in (COGYARD, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=kept)


def _rows(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.read_text("utf-8").splitlines()]


def test_an_account_leaves_with_all_that_is_its_own(platform: Any, tmp_path: Path) -> None:
    """Models, versions, predictions with input and output, and files by their bytes, while the platform runs."""
    data, target = ("--data-dir", platform.data.root), tmp_path / "mine"
    assert _cogyard("account", "add", "other", *data).returncode == 0
    stranger = _cogyard("token", "create", "other", *data).stdout.strip()
    version = platform.push(platform.file_model(), "shout")
    sent = platform.http.post("/v1/files", files={"content": ("../../etc/passwd", b"loud")}).json()
    done = platform.run(version, image=sent["urls"]["get"])
    theirs = platform.http.post(
        "/v1/files", files={"content": ("t", b"theirs")}, headers={"authorization": f"Bearer {stranger}"}
    ).json()
    hook = platform.http.post("/v1/webhooks/endpoints", json={"url": "https://example.com/"}).json()
    place = f"/v1/webhooks/endpoints/{hook['id']}"
    keys = [hook["key"], platform.http.post(f"{place}/secret/rotate").json()["key"]]

    exported = _cogyard("export", "tester", target, *data)
    assert exported.returncode == 0, exported.stderr
    assert (target.stat().st_mode & 0o077, (target / "account.jsonl").stat().st_mode & 0o077) == (0, 0)
    assert [one["username"] for one in _rows(target / "account.jsonl")] == ["tester"]
    assert [one["name"] for one in _rows(target / "models.jsonl")] == ["shout"]
    assert [one["id"] for one in _rows(target / "versions.jsonl")] == [version]
    (prediction,) = _rows(target / "predictions.jsonl")
    assert (prediction["id"], prediction["status"]) == (done["id"], "succeeded")
    assert prediction["created_at"].endswith("+00:00")
    assert prediction["input"]["image"].startswith("cogyard-file:")
    files = {one["id"]: one for one in _rows(target / "files.jsonl")}
    assert (target / "files" / sent["id"]).read_bytes() == b"loud"
    assert sorted(path.name for path in (target / "files").iterdir()) == sorted(files)
    assert theirs["id"] not in files
    written = "".join(path.read_text("utf-8") for path in target.glob("*.jsonl"))
    assert [one["id"] for one in _rows(target / "webhook_endpoints.jsonl")] == [hook["id"]]
    assert not {platform.token, stranger, "other", *keys} & set(written.split('"'))
    assert not list(platform.data.root.glob("export-*")), "the copy that it was read from is gone"


def test_what_cannot_be_exported_is_said(platform: Any, tmp_path: Path) -> None:
    """Nobody of that name, or a folder in use: a message, and nothing is written."""
    data = ("--data-dir", platform.data.root)
    nobody = _cogyard("export", "nobody", tmp_path / "new", *data)
    assert (nobody.returncode, (tmp_path / "new").exists()) == (1, False)
    assert "There is no account nobody" in nobody.stderr
    (tmp_path / "thesis.txt").write_text("years")
    assert "has something in it" in _cogyard("export", "tester", tmp_path, *data).stderr
    nowhere = _cogyard("export", "tester", "/proc/nowhere", *data)
    assert (nowhere.returncode, "/proc/nowhere cannot be written" in nowhere.stderr) == (1, True)


def test_images_leave_as_a_layout_that_others_read(platform: Any, model: Any, tmp_path: Path) -> None:
    """Each by its name; layers once; a layer that is gone from the disk is said. Nothing of others' models is there."""
    data, target = ("--data-dir", platform.data.root), tmp_path / "mine"
    images = {name: model(f"return {name!r}") for name in ("one", "two")}
    versions = {name: platform.push(image, name) for name, image in images.items()}
    exported = _cogyard("export", "tester", target, "--images", *data)
    assert exported.returncode == 0, exported.stderr
    assert "2 images" in exported.stderr
    layout = target / "images"
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    named = {each["annotations"]["org.opencontainers.image.ref.name"]: each["digest"] for each in entries}
    assert named == {f"tester/{name}:latest": f"sha256:{version}" for name, version in versions.items()}
    blobs = {path.name: path.read_bytes() for path in (layout / "blobs" / "sha256").iterdir()}
    assert all(hashlib.sha256(content).hexdigest() == name for name, content in blobs.items())
    wanted = {digest.removeprefix("sha256:") for image in images.values() for digest in image.blobs}
    assert set(blobs) == wanted | set(versions.values())
    if shutil.which("skopeo"):
        copied = tmp_path / "copied"
        done = subprocess.run(
            ["skopeo", "copy", f"oci:{layout}:tester/one:latest", f"dir:{copied}"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    gone = min(images["one"].blobs).removeprefix("sha256:")
    (platform.data.images / "blobs" / "sha256" / gone[:2] / gone).unlink()
    again = _cogyard("export", "tester", tmp_path / "again", "--images", *data)
    assert (again.returncode, "1 files or layers" in again.stderr) == (1, True)
    assert _cogyard("account", "add", "other", *data).returncode == 0
    assert "0 images" in _cogyard("export", "other", tmp_path / "other", "--images", *data).stderr
