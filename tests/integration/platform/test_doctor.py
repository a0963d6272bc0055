"""`cogyard doctor` on this machine, with folders in all states."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from cogyard.compose.datadir import DataDir
from cogyard.compose.upgrade import open_database
from cogyard.store.database import Database
from cogyard.store.migrations import released

COGYARD = Path(sys.executable).with_name("cogyard")


def _doctor(*arguments: str | Path, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COGYARD_")}
    done = subprocess.run(
        [str(part) for part in (COGYARD, "doctor", "--json", *arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**kept, "COGYARD_PORT": "0", **variables},
    )
    worst: dict[str, dict[str, str]] = {}
    for one in json.loads(done.stdout):
        if worst.get(one["check"], one)["level"] in {"good", "note", one["level"]} or one["level"] == "error":
            worst[one["check"]] = one
    return done.returncode, worst


def test_an_empty_folder_is_ready_and_stays_empty(tmp_path: Path) -> None:
    """Looking changes nothing."""
    status, found = _doctor("--data-dir", tmp_path / "new" / "data")
    assert status == 0, found
    assert found["database"]["message"].startswith("none yet")
    assert not (tmp_path / "new").exists()


def test_a_first_start_that_had_no_room_is_no_damage(tmp_path: Path) -> None:
    """What it made of the database goes on at the next start; nobody is told to restore a backup that never was."""
    folder = DataDir(tmp_path / "data").make()
    Database.open(folder.database, migrations=released()[:1]).close()
    status, found = _doctor("--data-dir", folder.root)
    assert (status, found["database"]["level"]) == (0, "note"), found
    assert "migrations are to be applied" in found["database"]["message"]


def test_kinds_of_hardware_that_cannot_be_had_are_found(tmp_path: Path) -> None:
    """As a start would refuse them."""
    kinds = json.dumps([{"sku": "gpu", "gpus": 1, "gpu_kind": "H100"}])
    status, found = _doctor("--data-dir", tmp_path / "new", COGYARD_HARDWARE=kinds)
    assert (status, found["hardware"]["level"]) == (1, "error")
    assert "gpu needs 1 GPUs of kind 'H100' of 0" in found["hardware"]["message"]


def test_what_stands_in_the_way_ends_with_1(tmp_path: Path) -> None:
    """Settings, folder, port, database: each is found, and each with what to do."""
    folder = DataDir(tmp_path / "data").make()
    open_database(folder).close()
    status, found = _doctor("--data-dir", folder.root)
    assert (status, found["database"]["level"]) == (0, "good"), found
    folder.root.chmod(0o755)
    assert _doctor("--data-dir", folder.root)[1]["data folder"]["next_step"].startswith("chmod 700")
    content = bytearray(folder.database.read_bytes())
    content[4096:40960] = os.urandom(36864)
    folder.database.write_bytes(content)
    status, found = _doctor("--data-dir", folder.root)
    assert (status, found["database"]["level"]) == (1, "error")
    assert "cogyard restore" in found["database"]["next_step"]
    folder.database.write_bytes(b"dear diary, " * 1000)
    assert _doctor("--data-dir", folder.root)[1]["database"]["level"] == "error"
    (tmp_path / "file").write_text("")
    status, found = _doctor("--data-dir", tmp_path / "file" / "data")
    assert (status, found["data folder"]["level"]) == (1, "error")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, found = _doctor("--data-dir", tmp_path / "new", COGYARD_PORT=port)
    assert status == 1
    assert f"Port {port}" in found["address"]["message"]
    (tmp_path / "s.toml").write_text("prot = 1\n")
    status, found = _doctor("--config", tmp_path / "s.toml", "--data-dir", tmp_path / "new")
    assert (status, found["settings"]["level"]) == (1, "error")
    assert "line 1: prot is not a setting" in found["settings"]["message"]


def test_a_running_platform_is_recognized(platform: Any) -> None:
    """Its own port is not in its way, and its database is read beside it."""
    port = str(platform.http.base_url.port)
    status, found = _doctor("--data-dir", platform.data.root, COGYARD_PORT=port)
    assert status == 0, found
    assert found["address"]["message"].endswith(str(platform.http.base_url).rstrip("/"))
    assert found["database"]["level"] == "good"
