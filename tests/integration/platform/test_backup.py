"""A platform's backup, taken while it is used, makes the same platform elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
from cogyard.compose.backup import BackupFolder
from cogyard.compose.datadir import DataDir
from cogyard.compose.upgrade import copies, open_database
from cogyard.store.database import Database
from cogyard.store.migrations import released

from tests.integration.platform.conftest import LivePlatform

COGYARD = Path(sys.executable).with_name("cogyard")


def _cogyard(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COGYARD_")}
    command = [str(part) for part in (COGYARD, *arguments)]
    environment = {**kept, "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[LivePlatform]:
    """Give a platform in another folder, not started."""
    (tmp_path / "elsewhere").mkdir()
    platform = LivePlatform(tmp_path / "elsewhere")
    yield platform
    platform.close()


class _Load:
    """Asks for predictions with files, and deletes files, until stopped; knows what was accepted when."""

    def __init__(self, platform: LivePlatform, version: str) -> None:
        self.platform, self.version = platform, version
        self.accepted: dict[str, float] = {}
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(3)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - a test's own chance
        headers = {"authorization": f"Bearer {self.platform.token}"}
        with httpx2.Client(base_url=self.platform.http.base_url, headers=headers, timeout=60) as http:
            while not self.stop.is_set():
                content = chance.randbytes(300_000).hex().encode()
                sent = http.post("/v1/files", files={"content": ("a.txt", content)}).json()
                body = {"version": self.version, "input": {"image": sent["urls"]["get"]}}
                made = http.post("/v1/predictions", json=body)
                if made.status_code == 201:
                    self.accepted[made.json()["id"]] = time.monotonic()
                # What nobody needs goes, so that blobs disappear while they are copied.
                spare = http.post("/v1/files", files={"content": ("b.txt", content[:-9])}).json()
                http.delete(f"/v1/files/{spare['id']}")


def test_a_backup_taken_under_load_restores(platform: Any, elsewhere: LivePlatform, tmp_path: Path) -> None:
    """Every prediction accepted before it was begun is there, ends, and every byte of its files is right.

    What ran while it was taken runs again in the restored platform, since its author has declared it idempotent.
    """
    version = platform.push(platform.file_model(idempotent=True), "shout")
    target = tmp_path / "backup"
    with _Load(platform, version) as load:
        platform.wait_for(lambda: len(load.accepted) > 20)
        begun = time.monotonic()
        first = _cogyard("backup", target, "--data-dir", platform.data.root)
        platform.wait_for(lambda: len(load.accepted) > 40)
        begun = time.monotonic()
        second = _cogyard("backup", target, "--data-dir", platform.data.root)
    assert (first.returncode, second.returncode) == (0, 0), (first.stderr, second.stderr)
    promised = [prediction for prediction, moment in load.accepted.items() if moment < begun]
    originals = {prediction: platform.until(prediction) for prediction in promised}
    texts = {name: platform.http.get(found["output"]).text for name, found in originals.items()}
    platform.end(signal.SIGKILL)

    restored = _cogyard("restore", target, "--data-dir", elsewhere.data.root)
    assert restored.returncode == 0, restored.stderr
    elsewhere.token = platform.token
    elsewhere.start()
    for name in promised:
        found = elsewhere.until(name)
        assert found["status"] == "succeeded", found
        assert elsewhere.http.get(found["output"]).text == texts[name]
    assert elsewhere.run(version, image="data:text/plain;base64,aGk=")["status"] == "succeeded"
    assert len(promised) > 40


@pytest.fixture
def small(tmp_path: Path) -> tuple[DataDir, Path]:
    """Give a data folder with one account and its backup, without a running platform."""
    folder = DataDir(tmp_path / "data").make()
    open_database(folder).close()
    assert _cogyard("account", "add", "ada", "--data-dir", folder.root).returncode == 0
    taken = _cogyard("backup", tmp_path / "backup", "--data-dir", folder.root)
    assert taken.returncode == 0, taken.stderr
    return folder, tmp_path / "backup"


def test_a_damaged_database_is_refused_and_the_backup_takes_its_place(small: tuple[DataDir, Path]) -> None:
    """The start says what to type; typing it brings everything back, and the damaged file is put aside."""
    folder, backup = small
    content = bytearray(folder.database.read_bytes())
    content[4096:40960] = os.urandom(36864)
    folder.database.write_bytes(content)
    folder.handovers.write_bytes(b"of the damaged one")
    refused = _cogyard("up", "--data-dir", folder.root, "--port", "0")
    assert refused.returncode == 1
    assert "is damaged" in refused.stderr
    assert "cogyard restore BACKUP --replace" in refused.stderr
    assert _cogyard("restore", backup, "--data-dir", folder.root).returncode == 1, (
        "it is not replaced unasked"
    )
    assert _cogyard("restore", backup, "--data-dir", folder.root, "--replace").returncode == 0
    assert "ada" in _cogyard("account", "list", "--data-dir", folder.root).stdout
    assert not folder.handovers.exists(), "what it says of leases is not the backup's"
    (aside,) = folder.root.glob("replaced-*")
    assert (aside / "cogyard.db").read_bytes() == bytes(content)


@pytest.mark.parametrize("left", [b"", None], ids=["emptied", "gone"])
def test_a_database_that_was_lost_is_not_begun_anew(small: tuple[DataDir, Path], left: bytes | None) -> None:
    """A platform that has run does not come up as if it were new, without accounts; its backup brings all back."""
    folder, backup = small
    folder.secret.write_text("what the first start makes, once there is a database")
    for name in ("", "-wal", "-shm"):
        Path(f"{folder.database}{name}").unlink(missing_ok=True)
    if left is not None:
        folder.database.write_bytes(left)
    refused = _cogyard("up", "--data-dir", folder.root, "--port", "0")
    assert refused.returncode == 1
    assert "though a platform has run" in refused.stderr
    assert "cogyard restore BACKUP --replace" in refused.stderr
    assert _cogyard("restore", backup, "--data-dir", folder.root, "--replace").returncode == 0
    assert "ada" in _cogyard("account", "list", "--data-dir", folder.root).stdout


def test_a_backup_that_is_not_whole_is_refused_before_anything_is_touched(
    small: tuple[DataDir, Path], tmp_path: Path
) -> None:
    """Unfinished, altered, of a newer release, or no backup at all: a message, and no data folder."""
    _, backup = small
    place = BackupFolder(backup)
    about = json.loads(place.about.read_text())

    def refusal() -> str:
        done = _cogyard("restore", backup, "--data-dir", tmp_path / "new")
        assert done.returncode == 1
        assert not (tmp_path / "new").exists()
        return done.stderr

    place.about.unlink()
    assert "never finished" in refusal()
    place.about.write_text(json.dumps({**about, "format": 99}))
    assert "newer release" in refusal()
    place.about.write_text(json.dumps(about))
    database = backup / about["database"]["name"]
    whole = database.read_bytes()
    database.write_bytes(whole[:-4096])
    assert "not the one that was backed up" in refusal()
    database.write_bytes(whole)
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO migrations VALUES (9999, 'future', 'x', 'y')")
    about["database"]["sha256"] = hashlib.sha256(database.read_bytes()).hexdigest()
    place.about.write_text(json.dumps(about))
    assert "migration 9999" in refusal()
    assert "is not a backup" in _cogyard("restore", tmp_path, "--data-dir", tmp_path / "new").stderr


def test_a_backup_never_removes_what_is_not_its_own(small: tuple[DataDir, Path], tmp_path: Path) -> None:
    """A folder with other things, or inside the data folder, is refused; blobs of deleted files go from it."""
    folder, backup = small
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years")
    refused = _cogyard("backup", tmp_path / "home", "--data-dir", folder.root)
    assert "has other things in it" in refused.stderr
    assert (
        "inside the data folder"
        in _cogyard("backup", folder.root / "backup", "--data-dir", folder.root).stderr
    )
    stale = BackupFolder(backup).blob("files", "sha256:" + "ab" * 32)
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"x")
    assert _cogyard("backup", backup, "--data-dir", folder.root).returncode == 0
    assert not stale.exists()


@pytest.mark.parametrize("steps", [1, 4, len(released()) - 1])
def test_a_backup_before_an_upgrade_is_of_the_older_schema(tmp_path: Path, steps: int) -> None:
    """Whichever it is; restored, it is brought up to date by the next command, with all that was in it."""
    folder, older = DataDir(tmp_path / "data").make(), released()[:steps]
    Database.open(folder.database, migrations=older).close()
    with closing(sqlite3.connect(folder.database)) as db, db:
        db.execute("INSERT INTO accounts (username, type, name, created_at) VALUES ('ada', 'user', 'Ada', 1)")
    taken = _cogyard("backup", tmp_path / "backup", "--data-dir", folder.root)
    assert taken.returncode == 0, taken.stderr
    about = json.loads((tmp_path / "backup" / "backup.json").read_text())
    kept = (tmp_path / "backup" / about["database"]["name"]).as_uri()
    with closing(sqlite3.connect(f"{kept}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM migrations").fetchone() == (steps,)
    assert _cogyard("restore", tmp_path / "backup", "--data-dir", tmp_path / "new").returncode == 0
    assert "ada" in _cogyard("account", "list", "--data-dir", tmp_path / "new").stdout


def test_only_a_backup_is_noted_as_one(small: tuple[DataDir, Path], tmp_path: Path) -> None:
    """One that was refused has copied nothing; one that broke off is called that."""
    folder, _ = small
    place = ("--data-dir", folder.root)
    noted = len(_noted(folder, "backup"))
    assert _cogyard("backup", folder.root / "inside", *place).returncode == 1
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "monday").write_text("rain")
    assert _cogyard("backup", tmp_path / "diary", *place).returncode == 1
    assert len(_noted(folder, "backup")) == noted
    assert _cogyard("backup", tmp_path / "good", *place).returncode == 0
    blocked = tmp_path / "blocked"
    (blocked / "database.unfinished").mkdir(parents=True)  # A folder where a file must be.
    assert _cogyard("backup", blocked, *place).returncode == 1
    good, broken = (f"{tmp_path / 'good'}", f"{blocked}")
    assert _noted(folder, "backup")[: -noted or None] == [("backup.broken_off", broken), ("backup", good)]


def _noted(folder: DataDir, action: str) -> list[tuple[str, str]]:
    lines = _cogyard("audit", "--json", "--action", action, "--data-dir", folder.root).stdout.splitlines()
    return [(each["action"], each["subject"]) for each in map(json.loads, lines)]


def test_what_is_missing_on_the_disk_is_said(small: tuple[DataDir, Path], tmp_path: Path) -> None:
    """A blob that is gone or altered does not stop the backup; it is named, and the exit status says so."""
    folder, _ = small
    digest = "ab" * 32
    with closing(sqlite3.connect(folder.database)) as db, db:
        db.execute(
            "INSERT INTO files (id, account_id, token, name, content_type, size, sha256, md5, metadata, created_at)"
            " VALUES ('f', 1, 't', 'n', 'text/plain', 1, ?, '', '{}', 0)",
            (digest,),
        )
    place = folder.files / "blobs" / "sha256" / "ab" / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(b"not that")
    taken = _cogyard("backup", tmp_path / "other", "--data-dir", folder.root)
    assert taken.returncode == 1
    assert f"missing or damaged on the platform's disk: files sha256:{digest}" in taken.stderr
    assert _cogyard("restore", tmp_path / "other", "--data-dir", tmp_path / "new").returncode == 0


def test_an_upgrade_keeps_a_copy_and_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """The copy holds what was there before; commands beside a running platform do not migrate under it."""
    folder = DataDir(tmp_path / "data").make()
    older = released()[:-1]
    Database.open(folder.database, migrations=older).close()
    check = _cogyard("migrate", "--check", "--data-dir", folder.root)
    assert (check.returncode, check.stdout.strip()) == (
        1,
        f"{released()[-1].number:04}_{released()[-1].name}",
    )
    assert not copies(folder)
    done = _cogyard("migrate", "--data-dir", folder.root)
    assert done.returncode == 0, done.stderr
    (copy,) = copies(folder)
    with Database.open(copy, migrations=older):
        pass
    assert _cogyard("migrate", "--data-dir", folder.root).stderr.endswith("up to date.\n")
    with closing(sqlite3.connect(folder.database)) as db, db:
        db.execute("INSERT INTO migrations VALUES (9999, 'future', 'x', 'y')")
    before = folder.database.read_bytes()
    for command in (("up", "--port", "0"), ("migrate",), ("account", "list")):
        refused = _cogyard(*command, "--data-dir", folder.root)
        assert refused.returncode == 1
        assert "was written by a newer release" in refused.stderr
    assert folder.database.read_bytes() == before


def test_commands_do_not_migrate_under_a_running_platform(platform: Any, tmp_path: Path) -> None:
    """A command of a newer release beside a platform of an older one says to restart it; a backup is made."""
    with closing(sqlite3.connect(platform.data.database)) as db, db:
        db.execute("DELETE FROM migrations WHERE number = (SELECT max(number) FROM migrations)")
    for command in (
        "account list",
        "token list tester",
        "organization list",
        "retention list",
        "audit",
        "link",
        "gc",
    ):
        refused = _cogyard(*command.split(), "--data-dir", platform.data.root)
        assert (refused.returncode, "Restart the platform" in refused.stderr) == (1, True), command
    assert "already runs" in _cogyard("migrate", "--data-dir", platform.data.root).stderr
    backup = _cogyard("backup", tmp_path / "before", "--data-dir", platform.data.root)
    assert (backup.returncode, "not in the audit log" in backup.stderr) == (0, True)
    assert (tmp_path / "before" / "backup.json").exists()
